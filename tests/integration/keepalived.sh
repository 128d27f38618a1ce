#!/bin/bash
# Two machines, as network namespaces with a cable between: keepalived with the configuration $1 on both, in the folder $2.
# To be run in a new network namespace, as root. Says which machine has the address; ends with all that it has started.
set -eu
config=$1
cd "$2"
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT

ip link set lo up
unshare --net sleep 100 &
two=$!
until [ "$(readlink /proc/$two/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
on_two() { nsenter --target "$two" --net "$@"; }

ip link add eth0 type veth peer name eth0 netns "$two"
ip addr add 192.0.2.1/24 dev eth0
ip link set eth0 up
on_two ip link set lo up
on_two ip addr add 192.0.2.2/24 dev eth0
on_two ip link set eth0 up

# Its status says nothing: with some versions it is that of a signal.
complaints=$(keepalived --config-test --use-file "$config" 2>&1 || true)
[ -z "$complaints" ] && echo "the configuration is right" || echo "$complaints"
sed 's/router_id ocsgw_one/router_id ocsgw_two/' "$config" > two.conf

# /readyz is 200 where the file is.
mkdir www-one www-two
python3 -m http.server --bind 127.0.0.1 --directory www-one 7280 >/dev/null 2>&1 &
nsenter --target "$two" --net python3 -m http.server --bind 127.0.0.1 --directory www-two 7280 >/dev/null 2>&1 &
keepalived --dont-fork --log-console --vrrp --use-file "$config" --pid one.pid --vrrp_pid one.vrrp >one.log 2>&1 &
nsenter --target "$two" --net \
  keepalived --dont-fork --log-console --vrrp --use-file two.conf --pid two.pid --vrrp_pid two.vrrp >two.log 2>&1 &

holders() {
  ip -4 -o addr show eth0 | grep -q '192\.0\.2\.10/' && echo one
  on_two ip -4 -o addr show eth0 | grep -q '192\.0\.2\.10/' && echo two
  true
}
wait_for() {
  for _ in $(seq 300); do
    [ "$(holders)" = "$1" ] && echo "the address is on ${1:-neither}" && return
    sleep 0.1
  done
  echo "the address is on $(holders), not on $1"
  tail -n 20 one.log two.log
  exit 1
}

touch www-one/readyz
wait_for one
rm www-one/readyz
wait_for ""
touch www-two/readyz
wait_for two
rm www-two/readyz
touch www-one/readyz
wait_for one
