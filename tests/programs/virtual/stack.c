/* Prints where a variable lies on the stack. */
#include <stdio.h>

int main(void) {
    int variable;
    printf("%p\n", (void *)&variable);
}
