"""The database adds every entry to the running sums."""

from django.db import migrations

from fucina.hub.accounting.totals import drop_totals, keep_totals


class Migration(migrations.Migration):
    dependencies = [("accounting", "0003_shares_and_totals")]
    operations = [migrations.RunPython(keep_totals, drop_totals)]
