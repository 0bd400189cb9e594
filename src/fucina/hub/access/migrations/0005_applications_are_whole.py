"""Every application says who made it and when; its timeline only grows."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from fucina.hub.people.append_only import forbid_changes


class Migration(migrations.Migration):
    dependencies = [("access", "0004_fill_ways"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.AlterField(
            model_name="application",
            name="created_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AlterField(
            model_name="application", name="created_at", field=models.DateTimeField(db_index=True)
        ),
        migrations.RunPython(*forbid_changes("access_applicationevent")),
    ]
