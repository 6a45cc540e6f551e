# First in the sandbox when the node is root, with just the rights used here: gives the two private folders to
# the workload's user and becomes it for good. $0 is what to run then.
chown UID:UID /tmp /home/agent &&
    exec setpriv --reuid UID --regid UID --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
        -- /bin/sh -c "$0" sh "$@"
