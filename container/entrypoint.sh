#!/bin/sh
# Run a command as the owner of the data folder, whoever created the folder.
#
# Root privileges are dropped before the command starts. `up` runs web as another user:
# its uid is the command's real one, the owner's the effective one (see
# docs/architecture.md). With `docker run --user` there is one user for both.
set -eu
data=/app/data
app=10001
web=10002

if [ "$(id -u)" -eq 0 ]; then
    uid=$(stat -c %u "$data")
    # Docker creates a missing folder as root: give it to the user of the image.
    [ "$uid" -ne 0 ] || uid=$app
    [ "$uid" -ne "$web" ] || web=10003
    # A restored backup may belong to another user. Without CAP_DAC_OVERRIDE, root cannot
    # look into a folder of mode 0700, but its owner can. The files come before the folder.
    if [ -r "$data" ]; then as=; else as="--reuid $uid --regid $app --clear-groups"; fi
    set_owner() {
        # Only with CAP_CHOWN, and only if something has another owner.
        [ -z "$(${as:+setpriv $as} find "$data" -maxdepth 1 ! -user "$uid" -print -quit)" ] ||
            ${as:+setpriv $as --inh-caps -all,+chown --ambient-caps -all,+chown} \
                find "$data" -depth -maxdepth 1 ! -user "$uid" -exec chown -h "$uid:$app" {} +
    }
    if ! set_owner; then
        echo "Cannot give $data to uid $uid: run chown -R $uid on that folder." >&2
        exit 1
    fi
    if ! setpriv --reuid "$uid" --regid "$app" --clear-groups test -w "$data"; then
        echo "uid $uid cannot write to $data: make it writable for its owner, and mount it without :ro." >&2
    fi
    # Litestream writes the database like ingest, and starts nothing as web.
    [ "$1" != litestream ] || web=$uid
    export CI_OBSERVER_DB_GROUP="$app"
    exec setpriv --ruid "$web" --euid "$uid" --regid "$app" --clear-groups --no-new-privs -- "$@"
fi

if [ ! -w "$data" ]; then
    echo "uid $(id -u) cannot write to $data: run chown -R $(id -u) on that folder." >&2
fi
for word in "$@"; do
    if [ "$word" = up ]; then
        echo "Ingest and web run as one user, uid $(id -u), so a fault in web could reach the token. Remove --user (or user: in Compose) to separate them." >&2
    fi
done
exec "$@"
