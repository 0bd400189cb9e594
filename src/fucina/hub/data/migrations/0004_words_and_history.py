"""Full text over the catalogue, and versions and their withdrawals that the database refuses to change."""

from django.db import migrations

from fucina.hub.data.full_text import make_index
from fucina.hub.people.append_only import forbid_changes


class Migration(migrations.Migration):
    dependencies = [("data", "0003_catalogue_tables")]
    operations = [
        migrations.RunPython(*make_index()),
        migrations.RunPython(*forbid_changes("data_datasetversion")),
        migrations.RunPython(*forbid_changes("data_withdrawal")),
    ]
