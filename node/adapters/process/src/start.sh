# Becomes the workload's command, or says on descriptor 3, which the command never has, why it cannot.
locate() {
    case $1 in */*) echo "$1" && return ;; esac
    IFS=:
    for folder in $PATH; do
        [ -x "$folder/$1" ] && echo "$folder/$1" && return
    done
}
program=$(locate "$1")
[ -e "$program" ] || { echo "127 $1: no such file" >&3 && exit 127; }
[ -f "$program" ] && [ -x "$program" ] || { echo "126 $1: permission denied" >&3 && exit 126; }
unset program
echo started >&3
exec "$@" 3>&-
