#!/bin/sh
# Sends files, goes on by itself after a break, and prints the link of each. It needs curl.
#   curl -s .../put.sh | sh -s -- [-u USER:PASSWORD] FILE...
# FILESERVICE_TOKEN, if it is set, is the password. The status is 1 if a file was not sent.
origin=@ORIGIN@ user=${FILESERVICE_TOKEN:+":$FILESERVICE_TOKEN"} failed=0
say() { printf 'put.sh: %s\n' "$*" >&2; }
ask() { # CURL_OPTION...: sets status and answer; the password comes by a pipe, for ps to miss it
	secret=$(printf %s "$user" | sed 's/[\\"]/\\&/g')
	answer=$(printf '%s\n' "${user:+user = \"$secret\"}" | curl -gsSK - -w '%{http_code}' \
		-H 'Accept: text/plain' --connect-timeout 20 -Y 1 -y 60 "$@")
	status=${answer#"${answer%???}"} answer=${answer%???}
}
again() { # waits before another try; fails where that is of no use
	case $status in 408 | 409 | 423 | 429) ;; 4??) return 1 ;; esac
	tries=$((tries + 1)) && [ $tries -le 12 ] && sleep $tries
}
send() { # FILE: answer becomes its link, or what was wrong
	case $1 in /*) file=$1 ;; *) file=./$1 ;; esac
	answer='it cannot be read' tries=0 most=0 at=0
	[ -f "$file" ] && [ -r "$file" ] && size=$(($(wc -c <"$file"))) || return 1
	name=$(printf %s "${file##*/}" | od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g')
	set -- -X PUT -H 'Upload-Complete: ?0' -H "Upload-Length: $size" "$origin/files/$name"
	until ask "$@" && [ "$status" = 201 ]; do again || return 1; done
	keep=$origin/uploads/$(basename "$answer")
	while set -- -C "$at" -T "$file"; do
		[ "$at" -lt "$size" ] || set -- -X PUT -H "Content-Range: bytes */$size"
		ask "$@" "$keep"
		case $status in 200 | 201) return 0 ;; esac
		again || return 1
		until ask -I "$keep" && [ "$status" = 200 ]; do answer=''; again || return 1; done
		at=$(printf %s "$answer" | tr -d '\r' | sed -n 's/^[Uu]pload-[Oo]ffset: *//p')
		[ "$at" -le "$most" ] || { most=$at && tries=0; }
		say "$file: goes on at byte $at"
	done
}
[ "${1-}" != -u ] || { user=${2?} && shift 2; }; : "${1:?which FILE?}"
for arg; do
	if send "$arg"; then printf '%s' "$answer"; else failed=1 && say "$arg: ${answer:-status $status}"; fi
done
exit $failed
