# The commit description file: what a before-commit hook finds at %A, in Fossil's format, for a commit that git is about
# to make. The compiler embeds this text where a command uses %A.
#
#     checkout /home/alice/app/          the work tree's root, a physical path with a final slash
#     repository /home/alice/app/.git    the git common dir
#     user alice                         the author; where git has not exported one (merges), the one git would take
#     branch feat                        in a rebase the branch being rebased; no line when HEAD is detached
#     tags v1, v2                        tags on HEAD, by name; no line when there are none
#     EDITED     a.txt                   what is staged against HEAD (also when amending), sorted by path
#     RENAMED    old  ->  new            a rename with a further change has that change's word, and the arrow
#     MERGED_WITH HASH                   and CHERRYPICK HASH, BACKOUT HASH, when such a thing is being committed
#     checkin-comment                    the message does not exist yet
#
# Rules
#   1. A path has one line. Its word is the first that fits: ADDED, DELETED; SYMLINK (it became one); EDITED; UNLINK (a
#      symbolic link before, the same bytes), EXECUTABLE, UNEXEC; RENAMED. ADDED and EDITED end in _BY_MERGE (EDITED is
#      then UPDATED) where the staged version is one of a merged commit. Fossil differs once: what a merge added and a
#      person then changed is EDITED there; here it is ADDED, for HEAD has no such path.
#   2. A path that holds a control byte, a double quote or a backslash is quoted as git does it; others are bare bytes.
#   3. git reads the index that GIT_INDEX_FILE names: so commit -a and commit FILE are right. Nothing the repository
#      configures runs, changes the output or fetches: in a partial clone that lacks an old version, a rename is seen
#      only where the file stayed the same.
#   4. All of it happens in one subshell, so that the caller keeps directory, IFS, options, traps and descriptors. Two
#      git processes run, at the same time, and one awk: for 5,000 files a loop of the shell takes twenty times as long.
#   5. The last line is written last. If this process dies earlier, the file lacks it, and no hook gets to see the file,
#      because the gate dies with it.
#
# Proven by test/gate/describe*.test.ts, in dash, bash and busybox.

# _gatepost_describe FILE: writes the description to FILE, which exists, and returns 0; or returns 1 with the cause, a
# sentence without its full stop, in _gatepost_why. Called in the work tree's root by pre-commit or pre-merge-commit
# ($0 says which), with GATEPOST_REPOSITORY and _gatepost_gitdir set.
_gatepost_describe() {
  # What is said on descriptor 3 is the cause. >| because the caller may have set -C.
  _gatepost_why=$(_gatepost_describe_all 3>&1 >|"$1") && [ -z "$_gatepost_why" ] && return 0
  _gatepost_why=${_gatepost_why%%"
"*}
  _gatepost_why=${_gatepost_why:-the commit description could not be written}
  return 1
}

_gatepost_describe_all() {
  set +eu -f
  unset IFS
  # Bytes are bytes. The other two keep git from fetching what a partial clone lacks; before 2.39.4 only the first does.
  export LC_ALL=C GIT_ALLOW_PROTOCOL=none GIT_NO_LAZY_FETCH=1
  _gatepost_newline='
'
  command -v awk >/dev/null || { _gatepost_describe_failed awk 127; return; }
  _gatepost_describe_branch
  _gatepost_describe_parent
  _gatepost_describe_merged
  _gatepost_describe_header &&
    _gatepost_describe_staged | {
      _gatepost_describe_tags && _gatepost_describe_files
    } &&
    _gatepost_describe_footer
}

# _gatepost_describe_failed WHAT STATUS: says the cause, unless it is a reader that went away (SIGPIPE), and fails.
_gatepost_describe_failed() {
  [ "$2" -eq 141 ] || printf '%s failed (%s)\n' "$1" "$2" >&3
  return 1
}

# Sets _gatepost_ref to the ref HEAD names, empty when detached, and _gatepost_branch to its short name or, when
# detached by a rebase, to that of the branch being rebased.
_gatepost_describe_branch() {
  _gatepost_word= _gatepost_ref= _gatepost_rest=
  [ -L "$_gatepost_gitdir/HEAD" ] ||
    { IFS=' ' read -r _gatepost_word _gatepost_ref _gatepost_rest <"$_gatepost_gitdir/HEAD"; } 2>/dev/null
  case $_gatepost_word:$_gatepost_ref:$_gatepost_rest in
  ref::refs/heads/.invalid:) _gatepost_word= ;; # the first where refs are not files (reftable)
  ref::*: | [0-9a-f]*::) ;;
  *) _gatepost_word= ;;
  esac
  [ -n "$_gatepost_word" ] || _gatepost_ref=$(command git symbolic-ref -q HEAD)
  _gatepost_branch=${_gatepost_ref#refs/heads/}
  [ -z "$_gatepost_ref" ] || return 0
  for _gatepost_file in rebase-merge rebase-apply; do
    { IFS= read -r _gatepost_word <"$_gatepost_gitdir/$_gatepost_file/head-name"; } 2>/dev/null || continue
    case $_gatepost_word in
    refs/heads/*) _gatepost_branch=${_gatepost_word#refs/heads/} ;; # else "detached HEAD"
    esac
  done
}

# Sets _gatepost_parent to HEAD or, before the first commit, to the empty tree. A branch whose ref is a file has one.
_gatepost_describe_parent() {
  _gatepost_parent=HEAD
  if [ -n "$_gatepost_ref" ] && [ ! -f "$GATEPOST_REPOSITORY/$_gatepost_ref" ] &&
    ! command git rev-parse -q --verify HEAD >/dev/null 2>&1; then
    _gatepost_parent=$(command git hash-object -t tree /dev/null) # its name depends on the repository's hash function
  fi
}

# Is it a hash?
_gatepost_describe_hash() {
  case $1 in
  '' | *[!0-9a-f]*) return 1 ;;
  esac
}

# Sets _gatepost_merged to the commits that are being merged, each with a blank before it. git merge calls
# pre-merge-commit before it writes MERGE_HEAD (seen with 2.39), and has then exported a GITHEAD_<hash> for each.
_gatepost_describe_merged() {
  _gatepost_merged=
  if [ -f "$_gatepost_gitdir/MERGE_HEAD" ]; then
    while IFS= read -r _gatepost_word; do
      ! _gatepost_describe_hash "$_gatepost_word" || _gatepost_merged="$_gatepost_merged $_gatepost_word"
    done <"$_gatepost_gitdir/MERGE_HEAD"
    return 0
  fi
  case $0 in
  *pre-merge-commit) ;;
  *) return 0 ;;
  esac
  IFS=$_gatepost_newline
  for _gatepost_word in $(export -p); do
    case $_gatepost_word in
    *' GITHEAD_'*=*) ;;
    *) continue ;;
    esac
    _gatepost_word=${_gatepost_word%%=*}
    _gatepost_word=${_gatepost_word##*GITHEAD_}
    _gatepost_describe_hash "$_gatepost_word" || continue
    # The line may as well have been part of a variable's value.
    eval "[ -z \"\${GITHEAD_$_gatepost_word+set}\" ]" || _gatepost_merged="$_gatepost_merged $_gatepost_word"
  done
  unset IFS
}

_gatepost_describe_header() {
  CDPATH= cd -P . || return
  _gatepost_user=${GIT_AUTHOR_NAME-}
  case $_gatepost_user in
  '' | *"$_gatepost_newline"*)
    _gatepost_user=$(command git var GIT_AUTHOR_IDENT) || { _gatepost_describe_failed 'git var' $?; return 1; }
    _gatepost_user=${_gatepost_user%% <*}
    ;;
  esac
  printf 'checkout ' && _gatepost_describe_path "${PWD%/}/" &&
    printf 'repository ' && _gatepost_describe_path "$GATEPOST_REPOSITORY" &&
    printf 'user %s\n' "$_gatepost_user" &&
    { [ -z "$_gatepost_branch" ] || printf 'branch %s\n' "$_gatepost_branch"; }
}

# Prints a path and a newline, quoted as git quotes one, if it must be.
_gatepost_describe_path() {
  case $1 in
  *[\"\\[:cntrl:]]*) ;;
  *)
    printf '%s\n' "$1"
    return
    ;;
  esac
  _gatepost_rest=$1 _gatepost_text=
  while [ -n "$_gatepost_rest" ]; do
    _gatepost_word=${_gatepost_rest%"${_gatepost_rest#?}"}
    _gatepost_rest=${_gatepost_rest#?}
    case $_gatepost_word in
    \" | \\) _gatepost_word=\\$_gatepost_word ;;
    "$_gatepost_newline") _gatepost_word='\n' ;;
    '	') _gatepost_word='\t' ;;
    [[:cntrl:]]) _gatepost_word=$(printf '\\%03o' "'$_gatepost_word") ;;
    esac
    _gatepost_text=$_gatepost_text$_gatepost_word
  done
  printf '"%s"\n' "$_gatepost_text"
}

# Prints the tags on HEAD. No process is started in a repository without any, nor for a short list of packed refs.
_gatepost_describe_tags() {
  [ "$_gatepost_parent" = HEAD ] && _gatepost_describe_may_be_tagged || return 0
  # for-each-ref, unlike git tag, has no order of its own in the configuration.
  _gatepost_text=$(command git for-each-ref --points-at=HEAD --format='%(refname:strip=2)' refs/tags) ||
    { _gatepost_describe_failed 'git for-each-ref' $?; return 1; }
  [ -n "$_gatepost_text" ] || return 0
  _gatepost_word='tags '
  IFS=$_gatepost_newline
  for _gatepost_rest in $_gatepost_text; do
    printf '%s' "$_gatepost_word$_gatepost_rest" || return
    _gatepost_word=', '
  done
  unset IFS
  printf '\n'
}

_gatepost_describe_may_be_tagged() {
  set +f
  set -- "$GATEPOST_REPOSITORY"/refs/tags/*
  set -f
  [ ! -e "$1" ] && [ ! -e "$GATEPOST_REPOSITORY/reftable" ] || return 0
  [ -f "$GATEPOST_REPOSITORY/packed-refs" ] || return 1
  _gatepost_rest=0
  while IFS=' ' read -r _gatepost_word _gatepost_text; do
    _gatepost_rest=$((_gatepost_rest + 1))
    case $_gatepost_rest:$_gatepost_text in
    25:* | *:refs/tags/*) return 0 ;; # a longer list takes longer to read here than git takes to answer
    esac
  done <"$GATEPOST_REPOSITORY/packed-refs"
  return 1
}

# Prints what is staged: for each merged commit the difference from it and "theirs", then the one from the parent and
# "whole". A difference that fails is tried once more without looking into files, which a partial clone may lack; only
# the second failure is worth a message.
_gatepost_describe_staged() {
  for _gatepost_word in $_gatepost_merged; do
    _gatepost_describe_diff "$_gatepost_word" ||
      { _gatepost_describe_failed 'git diff' $?; return; }
    printf 'theirs\n'
  done
  # 400: with that many files gone and as many new ones git compares each with each; with more, only whole files.
  _gatepost_describe_diff -M -l400 "$_gatepost_parent" 2>/dev/null || # -l: whatever diff.renameLimit says
    _gatepost_describe_diff -M100% "$_gatepost_parent" ||
    { _gatepost_describe_failed 'git diff' $?; return; }
  printf 'whole\n'
}

_gatepost_describe_diff() {
  # diff-index and not diff, which heeds diff.orderFile, diff.renames and more; --raw, so that no driver of attributes
  # runs. No quotes where none are needed, no monitor program, add -N stages nothing, .gitmodules hides no submodule.
  command git -c core.quotePath=false -c core.fsmonitor=false \
    diff-index --cached --raw --ita-invisible-in-index --ignore-submodules=none "$@" --
}

# Reads that, and prints the lines of the files. A raw line is ":MODE MODE HASH HASH STATUS<tab>PATH[<tab>PATH]".
_gatepost_describe_files() {
  set -- $_gatepost_merged
  command awk -F '\t' -v merged=$# '
    $0 == "theirs" { read++; next }
    $0 == "whole" { whole = 1; next }
    read < merged { differs[$2]++; next }
    {
      split($1, raw, " ")
      path = NF > 2 ? $2 "  ->  " $3 : $2
      ours = merged == 0 || differs[$NF] == merged
      if (raw[5] == "A") word = ours ? "ADDED" : "ADDED_BY_MERGE"
      else if (raw[5] == "D") word = "DELETED"
      else if (raw[5] == "U") word = "CONFLICT"
      else if (raw[2] == "120000" && raw[1] != ":120000") word = "SYMLINK"
      else if (raw[3] != raw[4]) word = ours ? "EDITED" : "UPDATED_BY_MERGE"
      else if (raw[1] == ":" raw[2]) word = "RENAMED"
      else if (raw[1] == ":120000") word = "UNLINK"
      else word = raw[2] == "100755" ? "EXECUTABLE" : "UNEXEC"
      print sprintf("%-10s ", word) path
    }
    END { exit !whole }
  '
  _gatepost_word=$?
  case $_gatepost_word in
  0) ;;
  1) return 1 ;; # git failed, and has been named
  *) _gatepost_describe_failed awk $_gatepost_word ;;
  esac
}

_gatepost_describe_footer() {
  for _gatepost_word in $_gatepost_merged; do
    printf 'MERGED_WITH %s\n' "$_gatepost_word" || return
  done
  _gatepost_describe_mark CHERRYPICK CHERRY_PICK_HEAD && _gatepost_describe_mark BACKOUT REVERT_HEAD &&
    printf 'checkin-comment\n'
}

# _gatepost_describe_mark WORD NAME: prints "WORD HASH" if git has left the name of a commit in NAME.
_gatepost_describe_mark() {
  _gatepost_word=
  if [ -e "$GATEPOST_REPOSITORY/reftable" ]; then
    _gatepost_word=$(command git rev-parse -q --verify "$2" 2>/dev/null)
  elif [ -f "$_gatepost_gitdir/$2" ]; then
    { IFS= read -r _gatepost_word <"$_gatepost_gitdir/$2"; } 2>/dev/null
  fi
  ! _gatepost_describe_hash "$_gatepost_word" || printf '%s %s\n' "$1" "$_gatepost_word"
}
