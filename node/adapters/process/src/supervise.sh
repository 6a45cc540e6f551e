# Runs one sandbox to its end and records how it came; goes on when the node is gone.
#
# supervise.sh FOLDER BWRAP OUTPUT_BLOCKS FILE_BLOCKS OPEN_FILES OOM_FILE GROUPS COMMAND...
# Sizes are in blocks of 512 bytes; GROUPS are folders of control groups, one a line.
folder=$1 bwrap=$2 output_blocks=$3 file_blocks=$4 open_files=$5 oom_file=$6 groups=$7
shift 7
umask 077
# A node that was killed may have started one already: only the first gets past here.
mkdir "$folder/claim" 2>/dev/null || exit 0
# Handlers, not "ignore": what is ignored here would be ignored in the sandbox too.
trap : HUP INT TERM

read -r stat <"/proc/$$/stat"
read -r boot </proc/sys/kernel/random/boot_id
begun() { shift 19; echo "$1"; }
echo "$$ $(begun ${stat##*) }) $boot" >"$folder/pid.new" && mv "$folder/pid.new" "$folder/pid"

sandbox() {
    IFS='
'
    for group in $groups; do
        echo 0 >"$group/cgroup.procs" || exit 125
    done
    ulimit -c 0 && ulimit -f "$file_blocks" && ulimit -n "$open_files" || exit 125
    umask 022
    exec "$bwrap" --args 6 -- "$@" \
        3>>"$folder/status" 4>"$folder/info" 5<"$folder/filter" 6<"$folder/args" </dev/null
}
keep_output() {
    ulimit -f "$output_blocks" && exec cat >>"$folder/stdout"
}
# The output goes through a pipe: a workload can add to what it said, never take it back. It is whole on disk
# before the end is told.
{
    (sandbox "$@") 2>>"$folder/stderr"
    echo $? >"$folder/code"
} | (keep_output)
{
    cat "$folder/code"
    [ -z "$oom_file" ] || cat "$oom_file"
} >"$folder/exit.new" 2>/dev/null
mv "$folder/exit.new" "$folder/exit"
