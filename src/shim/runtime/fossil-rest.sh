# What few gates of Fossil repositories need; stands between gate-rest.sh and gate-end.sh.

# The fossil that asks, or the one on PATH, with these words.
_gatepost_fossil() {
  if [ "$_gatepost_native" = before-commit ] && [ -x "/proc/$PPID/exe" ]; then
    "/proc/$PPID/exe" "$@" </dev/null 2>/dev/null
  else
    command fossil "$@" </dev/null 2>/dev/null
  fi
}

# Of several descriptions takes the one that was written last, and says so where another has a later time. That is told by
# when a file was changed in truth (ctime), which cannot be set by hand; what is from a time to come was written before
# somebody set the clock back. Where the system does not tell, the choice stays as it was.
_gatepost_choose_description() {
  _gatepost_text=$(
    now=$(date +%s)
    ls -1tc commit-description-????????????????.txt 2>/dev/null | while IFS= read -r file; do
      changed=$(stat -c %Z "$file" 2>/dev/null) || continue
      [ "$changed" -le "$((now + 1))" ] || continue
      printf '%s' "${PWD%/}/$file"
      break
    done
  )
  case $_gatepost_text in '' | "$_gatepost_described") return 0 ;; esac
  printf 'gatepost: %s is of another commit; remove it, if none is going on\n' "$_gatepost_described" >&2
  _gatepost_described=$_gatepost_text
}

# Sets _gatepost_given when --branch was given, and GATEPOST_CLOSE when --close was, from the command line of the fossil
# that asks. Fossil takes one dash for two. The text of a comment or tag is no option, whatever it begins with.
_gatepost_look_at_words() {
  if [ -r "/proc/$PPID/cmdline" ]; then
    _gatepost_words=$(tr '\0\n' '\n ' <"/proc/$PPID/cmdline")
  else
    _gatepost_words=$(ps -o args= -p "$PPID" 2>/dev/null | tr ' ' '\n') # words of a comment may pass for options
  fi
  _gatepost_text=
  while IFS= read -r _gatepost_line; do
    if [ -n "$_gatepost_text" ]; then
      _gatepost_text=
      continue
    fi
    case $_gatepost_line in
    --) break ;;
    --*) _gatepost_line=${_gatepost_line#-} ;;
    esac
    case $_gatepost_line in
    -comment | -m | -message-file | -M | -tag | -user-override | -date-override | -bgcolor | -branchcolor | -mimetype)
      _gatepost_text=skip
      ;;
    -branch | -b) _gatepost_given=yes _gatepost_text=skip ;;
    -branch=* | -b=* | -args) _gatepost_given=yes ;; # of --args nothing more is known
    -private) [ "$_gatepost_branch" != private ] || _gatepost_given=yes ;;
    -close) GATEPOST_CLOSE=1 ;;
    esac
  done <<WORDS
$_gatepost_words
WORDS
}

# Sets _gatepost_branch to the one that the checkout is on.
_gatepost_ask_branch() {
  _gatepost_text=$(_gatepost_fossil branch current)
  [ -z "$_gatepost_text" ] || _gatepost_branch=$_gatepost_text
}
