#!/usr/bin/env bash
# The hook of .pre-commit-hooks.yaml, run by the real pre-commit as a user's repository runs it: built from this project with cargo, it must
# fail on a bad configuration and name the rule, and pass on its repaired twin.
#
# Uses the pre-commit that is on the PATH, or installs one into a temporary environment where python3 can. Where neither works, or this is
# no git checkout, it says so and ends with 0: nothing was tested then.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
bad="$root/corpus/incidents/handa-like-fgt60e.conf"
good="$root/corpus/incidents/handa-like-fgt60e-fixed.conf"
rule=EXP001

skip() { printf 'SKIPPED, the pre-commit hook was NOT tested: %s\n' "$1"; exit 0; }
fail() { printf 'FAILED: %s\n' "$1" >&2; [ ! -s "${2:-}" ] || sed 's/^/    /' "$2" >&2; exit 1; }

command -v git >/dev/null || skip "there is no git"
[ "$(git -C "$root" rev-parse --show-toplevel 2>/dev/null || true)" = "$root" ] || skip "$root is not a git checkout"
git -C "$root" ls-files --error-unmatch .pre-commit-hooks.yaml >/dev/null 2>&1 || skip ".pre-commit-hooks.yaml is not committed"
[ -f "$bad" ] && [ -f "$good" ] || fail "the example configurations are not there"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
if ! command -v pre-commit >/dev/null; then
  command -v python3 >/dev/null || skip "there is neither pre-commit nor python3"
  python3 -m venv "$work/venv" >"$work/venv.log" 2>&1 || skip "python3 cannot make a virtual environment"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check pre-commit >"$work/venv.log" 2>&1 || skip "pre-commit cannot be installed"
  PATH="$work/venv/bin:$PATH"
fi

# The user's repository, and settings of our own instead of the machine's.
export PRE_COMMIT_HOME="$work/cache" GIT_CONFIG_GLOBAL="$work/gitconfig" GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=nobody GIT_AUTHOR_EMAIL=nobody@example.org GIT_COMMITTER_NAME=nobody GIT_COMMITTER_EMAIL=nobody@example.org
export SEKISHO_LANG=en NO_COLOR=1
git config --global --add safe.directory '*'
# What the tests have built already serves the build of the hook.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}"
mkdir "$work/site"
cd "$work/site"
git init --quiet
cp "$bad" bad.conf
cp "$good" good.conf
printf 'nothing to see here\n' >notes.md
git add .

try() { pre-commit try-repo "$root" sekisho --color never --verbose --files "$@"; }

status=0; try bad.conf >"$work/out" 2>&1 || status=$?
[ "$status" = 1 ] || fail "a bad configuration: pre-commit ended with $status, 1 expected" "$work/out"
grep -q "$rule" "$work/out" || fail "a bad configuration: the output does not name $rule" "$work/out"
grep -q 'exit code: 1' "$work/out" || fail "a bad configuration: the hook did not end with 1" "$work/out"

try good.conf >"$work/out" 2>&1 || fail "a repaired configuration does not pass" "$work/out"
grep -q 'Passed' "$work/out" || fail "a repaired configuration: the hook did not run" "$work/out"

try notes.md >"$work/out" 2>&1 || fail "another file does not pass" "$work/out"
grep -q 'Skipped' "$work/out" || fail "the hook looks at files that are no configurations" "$work/out"

printf 'ok: %s\n' "$(pre-commit --version)"
