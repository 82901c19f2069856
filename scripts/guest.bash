# What scripts that boot a guest in qemu have in common; sourced by them.

install_missing() { # install_missing PACKAGE…
    local package missing=()
    for package in "$@"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] || apt-get -qq -y install --no-install-recommends "${missing[@]}" >/dev/null
}

# The first file system: busybox, the modules that the root and tickless need, and what mounts it: the folder that the
# host shares, read only, with a layer in memory over it. What comes on stdin is run there by bash.
make_initrd() { # make_initrd FILE BUSYBOX TREE VERSION: TREE holds lib/modules/VERSION
    local file=$1 busybox=$2 tree=$3 version=$4 first applet library module number=0 target
    first=$(mktemp -d)
    mkdir -p "$first"/{bin,lib,proc,sys,dev,lower,memory,all}
    cp "$busybox" "$first/bin/busybox"
    { ldd "$busybox" 2>/dev/null || true; } | { grep -o '/[^ ]*' || true; } | while read -r library; do
        cp --parents -L "$library" "$first"
    done
    for applet in sh mount mkdir insmod poweroff cat chroot; do ln -s busybox "$first/bin/$applet"; done
    depmod -b "$tree" "$version" 2>/dev/null || true
    for module in virtio_pci virtio_mmio 9pnet_virtio 9p overlay unix_diag; do
        modprobe -d "$tree" -S "$version" -a --show-depends "$module" 2>/dev/null || true
    done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' | while read -r module; do
        number=$((number + 1))
        target=$(printf '%s/lib/%03d-%s' "$first" "$number" "$(basename "$module")")
        cp "$module" "$target"
        case $target in *.xz) xz -d "$target" ;; esac
    done
    cat >"$first/init" <<'INIT'
#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in /lib/*.ko; do insmod "$module" 2>/dev/null; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro root /lower || poweroff -f
mount -t tmpfs -o size=70% memory /memory; mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/lower,upperdir=/memory/upper,workdir=/memory/work overlay /all || poweroff -f
mount --move /dev /all/dev; mount --move /proc /all/proc; mount --move /sys /all/sys
mount -t tmpfs run /all/run
chroot /all /bin/bash -c "$(cat /command)"
poweroff -f
INIT
    chmod +x "$first/init"
    {
        cat <<'COMMAND'
mkdir -p /dev/pts /dev/shm /dev/mqueue; mount -t devpts pts /dev/pts -o newinstance,ptmxmode=0666; mount -t tmpfs shm /dev/shm
ln -sf /proc/self/fd /dev/fd; for n in 0:stdin 1:stdout 2:stderr; do ln -sf /proc/self/fd/${n%%:*} /dev/${n#*:}; done
mount -t cgroup2 cgroup2 /sys/fs/cgroup; mount -t mqueue mqueue /dev/mqueue
ip link set lo up 2>/dev/null || busybox ip link set lo up
COMMAND
        cat
        echo 'echo "verdict: $?"'
    } >"$first/command"
    (cd "$first" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$file"
    rm -rf "$first"
}
