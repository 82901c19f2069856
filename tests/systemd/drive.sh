# The user of units-more: a client of the socket, a path that changes, systemd-run, systemctl.
exec >"$OUT/drive" 2>&1
runtime=$XDG_RUNTIME_DIR
now_ns() { date +%s%N; }

sleep 1
python3 -c 'import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(b"hello\n")
print(connection.recv(64).decode(), end="")' "$runtime/echo.sock"

touch "$runtime/watched"
sleep 0.3
cat "$OUT/seen"

systemd-run --user --quiet --on-active=1s --unit=later /bin/sh -c "echo later >>$OUT/later"
sleep 2
cat "$OUT/later"

start=$(now_ns)
systemctl --user stop stubborn.service
echo "stop took $((($(now_ns) - start + 500000000) / 1000000000)) s"

sleep 1
systemctl --user show -p Id,Result stubborn.service neverready.service longrun.service | sort
systemctl --user daemon-reload
echo "reload $?"
systemctl --user list-units --no-legend --no-pager --plain --state=active | wc -l
