"""Small words that hold sentences together, for each official language of the Union: text without them is no prose."""

_LISTS = {
    "bg": "и на в за от се да не с по е са че към той ще или това като при до го му си бе беше има но а те",
    "cs": "a v na se je že do s z o i k po za by jsem byl jako ale si to pro ve tak by jeho od nebo jen už při co",
    "da": "og i at det er en til på som for med de af den ikke der jeg han har et var fra men om eller vi sig hun kan",
    "de": "der die das und in zu den mit ist von nicht ein sich des dem im eine auf für als er es so auch oder "
    "ich sie an wird werden nach bei aus wie nur war hatte daß dass",
    "el": "και το του της η ο να στο για με από τα την οι των που στη δεν θα σε είναι τον ότι μια τις αυτό ένα ως",
    "en": "the of and to a in that is was it for with he as on be his at by i this had not are but from or her "
    "which you an they were she",
    "es": "de la que el en y a los se del un por con no una su para es al lo como más o pero sus le ha me si sin había",
    "et": "ja on ei et see ka oli ta mis kui aga ning ma või oma siis nii nad ta seda selle kes üks need mida tema",
    "fi": "ja on ei että se oli hän mutta kun niin en ne joka myös tai hänen sen kuin jos ovat olla mitä tämä nyt sekä",
    "fr": "de la le et les des en un une du que qui dans à pour est il pas ne sur au ce se par plus avec elle "
    "je son sa vous on mais nous",
    "ga": "an na a ar agus is i go le do bhí ag sé nach sin gur níl tá as nó ó mar siad den don faoi chun",
    "hr": "i u je se na da za od su s a o će kao ne što iz koji bi to ili po ali sam do koje bio nije si više",
    "hu": "a az és hogy nem is egy ez meg de azt volt már csak el még mint ki s ha én mert be van vagy úgy itt ezt le",
    "it": "di e che la il un a per in una del non con si da le i è della al come più lo ma ed gli alla nel mi "
    "sono se dei o era l d all dell su questo",
    "lt": "ir yra kad į su iš kaip bet ne tai o jis buvo per nuo tik jau už ar prie apie dar savo jo po arba",
    "lv": "un ir ar uz no ka kas par tas to bet bija kā vai ne arī es viņš pie tikai līdz lai šo pēc jau nav",
    "mt": "u li ta il ma fil tal għal minn dan hija kien din hu bil lil kienet biex fuq jew mhux x dawn bħala ta’",
    "nl": "de het een en van in is dat op te zijn met voor niet aan er die om als ook maar bij hij ik was dan "
    "door naar",
    "pl": "i w na z się nie do to że jest o a jak za po co od ale dla tak go już przez był tym jego ze czy by "
    "tylko pan",
    "pt": "de a o que e do da em um para com não uma os no se na por mais as dos como mas ao ele das à seu sua "
    "ou lhe me era",
    "ro": "de și în a la pe cu nu că o un din să se mai este care ca pentru sau al ale lui nici dar el am fi i "
    "îi l era şi își ce",
    "sk": "a v na sa je že do s z o aj k po za by som bol ako ale si to pre vo tak jeho od alebo len už pri čo nie",
    "sl": "in je v na se da so za ne ki s pa z bi kot po tudi ali ni od sem še ko iz pri to bil mu jo če si že do",
    "sv": "och i att det som en på är av för med till den inte har de om ett han var jag men från vi så sig hon "
    "kan eller",
}

FUNCTION_WORDS: dict[str, frozenset[str]] = {language: frozenset(words.split()) for language, words in _LISTS.items()}
