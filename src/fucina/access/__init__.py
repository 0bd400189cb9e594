"""Who may ask for time, in which way, for how much: access modes as dated data, and the adviser that reads them."""
