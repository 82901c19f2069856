/* For programs that show what older kernels do not have, or did another way: tickless does as newer ones everywhere. */
#include <stdio.h>
#include <sys/utsname.h>

static inline int linux_since(int major, int minor)
{
    struct utsname name;
    int here[2] = {0, 0};
    uname(&name);
    sscanf(name.release, "%d.%d", &here[0], &here[1]);
    return here[0] > major || (here[0] == major && here[1] >= minor);
}
