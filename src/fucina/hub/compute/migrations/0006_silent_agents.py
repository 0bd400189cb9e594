"""A job that is UNKNOWN because its agent is silent is told from one that the agent itself cannot find."""

from django.db import migrations, models

_FILL = "UPDATE compute_job SET silent_at = CURRENT_TIMESTAMP WHERE state = 'unknown'"


class Migration(migrations.Migration):
    dependencies = [("compute", "0005_jobs_are_whole")]

    operations = [
        migrations.AddField("job", "silent_at", models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.RunSQL(_FILL, reverse_sql=migrations.RunSQL.noop),
    ]
