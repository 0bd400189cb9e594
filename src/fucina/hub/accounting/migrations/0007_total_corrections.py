"""Corrections have a running sum too; the table of entries was built anew and has lost its trigger on SQLite."""

from django.db import migrations, models

from fucina.hub.accounting.totals import drop_totals, keep_totals


class Migration(migrations.Migration):
    dependencies = [("accounting", "0006_usage_from_accounting")]
    operations = [
        migrations.AlterField(
            model_name="ledgertotal",
            name="kind",
            field=models.CharField(
                choices=[
                    ("grant", "grant"),
                    ("hold", "hold"),
                    ("settle", "settle"),
                    ("use", "use"),
                    ("refund", "refund"),
                    ("expiry", "expiry"),
                    ("correction", "correction"),
                ],
                max_length=16,
            ),
        ),
        migrations.RunPython(keep_totals, drop_totals),
    ]
