# Part of the runtime of server gates. Their caller is a stranger: what would load code into the hooks' programs, or
# lead git elsewhere, goes out of the environment, and PATH is the home's own ($1). Names instead of an allow-list,
# because listing the environment would take a process; see docs/gates.md.
_gatepost_distrust() {
  [ -z "${BASH_VERSION-}" ] || _gatepost_forget_functions 2>/dev/null
  unset LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES DYLD_LIBRARY_PATH GCONV_PATH LOCPATH NLSPATH ENV \
    BASH_ENV PS4 CDPATH GLOBIGNORE NODE_OPTIONS NODE_PATH PYTHONPATH PYTHONHOME PYTHONSTARTUP \
    PERL5LIB PERL5OPT PERLLIB PERL5DB RUBYLIB RUBYOPT JAVA_TOOL_OPTIONS _JAVA_OPTIONS CLASSPATH LUA_INIT LUA_PATH \
    PHPRC PHP_INI_SCAN_DIR EDITOR VISUAL PAGER LESSOPEN GREP_OPTIONS TAR_OPTIONS GIT_EXEC_PATH GIT_TEMPLATE_DIR \
    GIT_CONFIG GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CONFIG_NOSYSTEM GIT_CONFIG_COUNT GIT_CONFIG_PARAMETERS \
    GIT_EXTERNAL_DIFF GIT_DIFF_OPTS GIT_PAGER GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_ASKPASS SSH_ASKPASS GIT_SSH \
    GIT_SSH_COMMAND GIT_PROXY_COMMAND GIT_ALLOW_PROTOCOL GIT_ATTR_SOURCE GIT_CEILING_DIRECTORIES GIT_WORK_TREE \
    GIT_INDEX_FILE GIT_COMMON_DIR GIT_GRAFT_FILE GIT_REPLACE_REF_BASE GIT_TRACE GIT_TRACE2 \
    GIT_TRACE2_EVENT GIT_TRACE2_PERF GIT_TRACE_SETUP GIT_TRACE_PERFORMANCE GIT_TRACE_PACKET GIT_TRACE_PACK_ACCESS \
    GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS XDG_CONFIG_HOME GATEPOST_SKIP \
    GATEPOST_TRACE
  export GIT_NO_REPLACE_OBJECTS=1 # who may push may write refs/replace, and show hooks other commits than arrive
  PATH=$1
}

# Forgets the functions that bash took from the environment: all but ours.
_gatepost_forget_functions() {
  unset -f builtin command declare
  while read -r _gatepost_1 _gatepost_2 _gatepost_3; do
    case $_gatepost_3 in _gatepost_*) ;; *) unset -f "$_gatepost_3" ;; esac
  done <<FUNCTIONS
$(declare -F)
FUNCTIONS
}
