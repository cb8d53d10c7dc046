#!/bin/sh
# Run a command as the owner of the data folder, whoever created the folder.
#
# Root privileges are dropped before the command starts. With `docker run --user` the
# script starts without them.
set -eu
data=/app/data
app=10001

if [ "$(id -u)" -eq 0 ]; then
    uid=$(stat -c %u "$data")
    gid=$(stat -c %g "$data")
    if [ "$uid" -eq 0 ]; then
        # Docker creates a missing folder as root: give it to the user of the image.
        uid=$app gid=$app
    fi
    # A restored backup may belong to another user.
    if [ -r "$data" ] && ! find "$data" -maxdepth 1 ! -user "$uid" -exec chown -h "$uid:$gid" {} +; then
        echo "Cannot give $data to uid $uid: run chown -R $uid:$gid on that folder." >&2
        exit 1
    fi
    exec setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs -- "$0" "$@"
fi

if [ ! -w "$data" ]; then
    echo "uid $(id -u) cannot write to $data: run chown -R $(id -u) on that folder." >&2
fi
exec "$@"
