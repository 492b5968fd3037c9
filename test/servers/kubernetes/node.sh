#!/bin/sh
# First process of a node's namespaces (network, mounts, pids): whatever it starts, mounts or links ends with it.
# Started by node.ts in the run folder, which is $RUN; $DATA is for what is big.
set -eu

# Mounts: nothing that follows is seen outside. These folders are written to by name, whatever is configured.
mount --make-rshared /
for folder in /run /var/log /var/lib; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p /run/lock
# The kubelet sets these for the whole machine: it gets copies.
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
	kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
	copy="/run/$(echo "$name" | tr / -)"
	cat "/proc/sys/$name" >"$copy"
	mount --bind "$copy" "/proc/sys/$name"
done

# Network: a bridge with the one address that everything inside is reached by. No way leads out.
ip link set lo up
ip link add bridge0 type bridge
ip address add "$ADDRESS/24" dev bridge0
ip link set bridge0 up
# To a service from the node itself: kube-proxy's rules take it from there.
ip route add "$SERVICES" dev bridge0
echo 1 >/proc/sys/net/ipv4/ip_forward
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then
	echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
fi

# Control groups of our own, so that two kubelets on a machine do not tidy up after each other.
for controller in $(find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d -not -name unified); do
	[ -e "$controller/tasks" ] || continue
	mkdir "$controller/$CGROUP"
	if [ -e "$controller/cpuset.cpus" ]; then
		cat "$controller/cpuset.cpus" >"$controller/$CGROUP/cpuset.cpus"
		cat "$controller/cpuset.mems" >"$controller/$CGROUP/cpuset.mems"
	fi
done
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then mkdir "/sys/fs/cgroup/$CGROUP"; fi

containerd --config "$RUN/containerd.toml" >"$RUN/containerd.log" 2>&1 &
echo "network is up"

# The others would find no API server yet, and ask again only after a while.
until [ -e "$RUN/control-plane-is-ready" ]; do sleep 0.1; done
"$KUBELET" --config="$RUN/kubelet.json" --kubeconfig="$RUN/kubelet.kubeconfig" \
	--hostname-override="$NODE" --node-ip="$ADDRESS" --root-dir="$DATA/kubelet" >"$RUN/kubelet.log" 2>&1 &
"$SCHEDULER" --kubeconfig="$RUN/scheduler.kubeconfig" --leader-elect=false --secure-port=0 \
	>"$RUN/kube-scheduler.log" 2>&1 &
"$PROXY" --config="$RUN/kube-proxy.json" >"$RUN/kube-proxy.log" 2>&1 &
"$COREDNS" -conf "$RUN/Corefile" >"$RUN/coredns.log" 2>&1 &
wait
