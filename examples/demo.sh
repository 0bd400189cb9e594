#!/bin/sh
# The main job on real text: organisation, application, grant, five stages, a verified release, the portal.
set -eu
project=examples/penna-nuova/project.yaml
release="$FUCINA_HOME/release"
mkdir -p "$FUCINA_HOME"
rm -rf "$release"

fucina up --detach || [ $? -eq 5 ] # 5: it is up already
echo
fucina apply "$project"
fucina run "$project" --release "$release"
echo
fucina verify "$release"
echo
echo "Release: $release"
echo "Verify it anywhere, offline: fucina verify $release --key $FUCINA_HOME/keys/factory.pub"
echo "Portal, signed in once: $(fucina sign-in)"
echo "It stays up until: make demo-stop"
