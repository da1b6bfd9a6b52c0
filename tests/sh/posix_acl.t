#!/bin/bash
# POSIX ACLs: kept, enforced, inherited, and in line with the mode.
# shellcheck disable=SC2317 # functions are called through ok
. "$(dirname "$0")/lib.sh"
need_mounts
need setfacl getfacl getfattr setpriv

v=$T/v m=$T/m
mkvol "$v" || bail 'no volume'
mount_vol "$v" "$m" -o branch=main || bail 'no mount'
cd "$m" || bail 'no directory'
chmod 755 .

acl() { getfacl -ncE "$@" 2>/dev/null | tr '\n' ' ' | sed 's/ *$//'; }
as_user() { setpriv --reuid "$1" --regid "$1" --clear-groups -- "${@:2}"; }

echo text >f
chmod 640 f
setfacl -m u:1001:rw,g:1002:r f
is "$(acl f)" 'user::rw- user:1001:rw- group::r-- group:1002:r-- mask::rw- other::---' 'kept'
is "$(stat -c %a f)" 660 'the mode shows the mask'
ok 'who is named may read' as_user 1001 cat f
ok '... and write' as_user 1001 sh -c 'echo more >>f'
ok 'a named group may read' as_user 1002 cat f
not_ok '... but not write' as_user 1002 sh -c 'echo more >>f'
not_ok 'others may not' as_user 1003 cat f
not_ok 'only the owner changes it' as_user 1001 setfacl -m u:1003:r f
chmod 600 f
is "$(acl f)" 'user::rw- user:1001:rw- group::r-- group:1002:r-- mask::--- other::---' \
    'chmod sets the mask'
not_ok '... which holds for who is named' as_user 1001 cat f
setfacl -b f
is "$(acl f)" 'user::rw- group::--- other::---' 'setfacl -b leaves what the mode says'
is "$(getfattr -m- f)" '' '... and no attribute'
setfacl -m u::rw,g::r,o::r f
is "$(stat -c %a,%n f) $(getfattr -m- f)" '644,f ' 'a plain ACL is a mode'
not_ok 'a file has no default ACL' setfacl -d -m u:1:r f

mkdir d
setfacl -d -m u:1001:rwx,g::rx,o::- d
(umask 077 && touch d/f && mkdir d/d && mkfifo d/p && ln -s x d/s)
is "$(acl d/f)" \
    'user::rw- user:1001:rwx group::r-x mask::rw- other::---' \
    'a new file inherits, and its umask is not applied'
is "$(acl -a d/d)" 'user::rwx user:1001:rwx group::r-x mask::rwx other::---' \
    'a new directory inherits'
is "$(acl -d d/d)" 'user::rwx user:1001:rwx group::r-x mask::rwx other::---' \
    '... and hands on'
is "$(acl d/p)" "$(acl d/f)" 'so does a fifo'
is "$(stat -c %A d/s)" lrwxrwxrwx 'a symlink does not'
setfacl -k d
(umask 077 && touch d/g)
is "$(acl d/g)" 'user::rw- group::--- other::---' 'without a default ACL the umask is'

getfacl -R d f >"$T/acls"
setfacl -R -b d f
setfacl --restore="$T/acls"
is "$(getfacl -R d f)" "$(<"$T/acls")" 'saved and restored'
setfacl -m "$(for i in {2000..2399}; do printf 'u:%d:r,' "$i"; done)u:1:r" f
is "$(getfacl -nc f | grep -c user:)" 402 'as many entries as the kernel takes'
cd /
ok 'mounted anew' umount_vol "$m"
mount_vol "$v" "$m" -o branch=main
is "$(getfacl -nc "$m/f" | grep -c user:)" 402 '... they are there'
umount_vol "$m"
ok '... and all is in order' pagefs check "$v"

done_testing
