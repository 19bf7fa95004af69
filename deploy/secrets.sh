#!/bin/sh
# Makes the secrets that docker-compose.yml hands to containers, each once: what is there already stays.
# The folder is yours alone; the files can be read by the users that containers run as.
set -eu
folder="$(dirname "$0")/secrets"
mkdir -p "$folder"
chmod 700 "$folder"

random() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }

# put NAME TEXT: a file with the text, unless there is one.
put() {
    if [ ! -s "$folder/$1" ]; then
        printf '%s\n' "$2" > "$folder/$1"
        chmod 444 "$folder/$1"
        echo "made $folder/$1"
    fi
}

for name in clickhouse migrate ingest query grafana; do put "$name" "$(random)"; done
for name in key_ingest key_query key_admin; do put "$name" "clk_$(random)"; done
if [ ! -s "$folder/redis_url" ] || [ ! -s "$folder/redis_acl" ]; then
    rm -f "$folder/redis_url" "$folder/redis_acl"
    password="$(random)"
    put redis_url "redis://causeline:$password@redis:6379/0"
    # Whoever has no password may ask whether the server lives, and nothing else.
    put redis_acl "user default on nopass nocommands +ping
user causeline on >$password ~* &* +@all -@admin -@dangerous +info"
fi
