#!/bin/sh
# Makes a PKI for development: sh docker/dev-pki.sh FOLDER [HOST]
#   ca.pem ca.key          the one CA that signs both sides
#   server.pem server.key  for HOST (default localhost) and the loopback addresses
#   client.pem client.key  a partner
#   database.password      a random password for the database of compose.yaml
# The keys are not encrypted: never use them for anything but trying out.
set -eu
[ $# -ge 1 ] || { echo "usage: $0 FOLDER [HOST]" >&2; exit 2; }
command -v openssl >/dev/null || { echo "openssl is missing: apt-get install openssl" >&2; exit 1; }
host=${2:-localhost}
mkdir -p "$1"
cd "$1"
[ ! -e ca.key ] || { echo "$1 holds a PKI already: remove it first" >&2; exit 1; }
umask 077

# name, subject, days, extensions; signed by the CA, which signs itself
certificate() {
    name=$1 subject=$2 days=$3
    printf '%b' "$4" >extensions
    openssl genrsa -out "$name.key" 3072 2>/dev/null
    openssl req -new -key "$name.key" -subj "$subject" -out request
    if [ "$name" = ca ]; then
        openssl x509 -req -in request -signkey ca.key -sha256 -days "$days" \
            -extfile extensions -out ca.pem 2>/dev/null
    else
        openssl x509 -req -in request -CA ca.pem -CAkey ca.key -sha256 -days "$days" \
            -set_serial "0x$(openssl rand -hex 16)" -extfile extensions -out "$name.pem" 2>/dev/null
    fi
    rm request extensions
    chmod 644 "$name.pem"
}

leaf='basicConstraints=critical,CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nkeyUsage=critical,digitalSignature,keyEncipherment\n'
certificate ca '/O=xdsi development/CN=Development CA' 730 \
    'basicConstraints=critical,CA:TRUE,pathlen:0\nsubjectKeyIdentifier=hash\nkeyUsage=critical,keyCertSign,cRLSign\n'
certificate server "/O=xdsi development/CN=$host" 365 \
    "${leaf}extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:$host,DNS:localhost,IP:127.0.0.1,IP:::1\n"
certificate client '/O=xdsi development/CN=Partner' 365 "${leaf}extendedKeyUsage=clientAuth\n"

openssl rand -hex 24 >database.password
# Read inside the container by the user of the database and of the node.
chmod 644 database.password
echo "made in $1: ca.pem server.pem client.pem with their keys, and database.password"
