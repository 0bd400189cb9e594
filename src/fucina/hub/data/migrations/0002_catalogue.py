"""Datasets become a catalogue: a policy, immutable versions with a description, requests, grants, erasures."""

from functools import partial

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from fucina.hub.people.reference import new_ref


def name_versions(apps, schema_editor):
    """Give each version a reference of its own, and each dataset its newest version."""
    versions = apps.get_model("data", "DatasetVersion")
    for row in versions.objects.order_by("pk").iterator():
        row.ref = new_ref("dsv")
        row.save(update_fields=["ref"])
    for dataset in apps.get_model("data", "Dataset").objects.iterator():
        dataset.current = versions.objects.filter(dataset=dataset).order_by("-version").first()
        dataset.changed_at = dataset.current.created_at if dataset.current else dataset.created_at
        dataset.save(update_fields=["current", "changed_at"])


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0002_append_only"),
        ("data", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.RemoveConstraint(model_name="dataset", name="dataset_unique"),
        migrations.RenameField(model_name="dataset", old_name="project", new_name="name"),
        migrations.AddConstraint(
            model_name="dataset",
            constraint=models.UniqueConstraint(fields=("organisation", "name"), name="dataset_unique"),
        ),
        migrations.AddField(model_name="datasetversion", name="ref", field=models.CharField(max_length=32, null=True)),
        migrations.AddField(
            model_name="dataset",
            name="current",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="data.datasetversion",
            ),
        ),
        migrations.AddField(
            model_name="dataset", name="changed_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.RunPython(name_versions, migrations.RunPython.noop),
    ]
