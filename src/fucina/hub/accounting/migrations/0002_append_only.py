"""The database itself refuses to change or delete what only grows."""

from django.db import migrations

from fucina.hub.people.append_only import forbid_changes


class Migration(migrations.Migration):
    dependencies = [("accounting", "0001_initial")]
    operations = [
        migrations.RunPython(*forbid_changes("accounting_ledgerentry")),
        migrations.RunPython(*forbid_changes("accounting_usagerecord")),
    ]
