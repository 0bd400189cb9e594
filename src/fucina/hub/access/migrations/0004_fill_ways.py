"""Who made an application and when, and modes that were kept in an older form, as they are read today."""

from django.db import migrations
from django.db.models import F


def fill(apps, _schema_editor):
    apps.get_model("access", "Application").objects.update(created_by=F("submitted_by"), created_at=F("submitted_at"))
    for row in apps.get_model("access", "AccessMode").objects.all():
        wire = dict(row.wire)
        most = wire.pop("max_gpu_hours", None)
        if most is not None:
            wire["bounds"] = {"at_most": most}
        missing = {"id": row.name, "name": {"en": row.name}, "valid_from": str(row.valid_from), "sources": ["project"]}
        wire = {**missing, **wire}
        if "path" not in wire and wire.get("decision") in ("automatic", "brought"):
            wire["path"] = ["decision"]
        if wire != row.wire:
            row.wire = wire
            row.save(update_fields=["wire"])


class Migration(migrations.Migration):
    dependencies = [("access", "0003_ways_to_a_decision")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
