"""A job knows its project and its allocation itself; those of runs take them from their run."""

from django.db import migrations

_FILL = """
UPDATE compute_job SET
  project_id = (SELECT project_id FROM compute_linerun WHERE compute_linerun.id = compute_job.run_id),
  allocation_id = (SELECT allocation_id FROM compute_linerun WHERE compute_linerun.id = compute_job.run_id),
  created_by_id = (SELECT created_by_id FROM compute_linerun WHERE compute_linerun.id = compute_job.run_id),
  created_at = (SELECT created_at FROM compute_linerun WHERE compute_linerun.id = compute_job.run_id)
WHERE project_id IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("compute", "0003_jobs_of_their_own")]
    operations = [migrations.RunSQL(_FILL, reverse_sql=migrations.RunSQL.noop)]
