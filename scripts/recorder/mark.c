/* Tells the recorder, or a hypervisor that is watched, where phases lie: `mark N` writes the byte N to port 0x511. */
#include <stdlib.h>
#include <sys/io.h>

int main(int argc, char **argv) {
  if (argc != 2 || ioperm(0x511, 1, 1) != 0) return 1;
  outb((unsigned char)atoi(argv[1]), 0x511);
  return 0;
}
