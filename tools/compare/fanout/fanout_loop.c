/* tools/compare/fanout/fanout_loop.c - the floor for a room's fan-out: nothing but a loop of sendmsg.
 *
 *   fanout_loop MEMBERS BYTES
 *
 * Prints its port. MEMBERS connections are members; the next one writes messages of BYTES bytes, and each goes to every
 * member: path lines of its own, then what all have in common (an MSRP SEND as a room's), in one sendmsg. Members are
 * never read from. Blocking sockets, one thread, no checks of any kind: what is left is what the kernel costs. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct member {
  int fd;
  int bytes;
  char paths[256];
};

static void fail(const char* what) {
  perror(what);
  exit(1);
}

int main(int argc, char** argv) {
  if (argc != 3) return fprintf(stderr, "fanout_loop MEMBERS BYTES\n"), 2;
  const int members = atoi(argv[1]), size = atoi(argv[2]), on = 1;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr*)&address, length) || listen(listener, 4096)) fail("listen");
  getsockname(listener, (struct sockaddr*)&address, &length);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);

  struct member* all = calloc((size_t)members, sizeof *all);
  char* message = malloc((size_t)size);
  char* common = malloc((size_t)size + 512);
  if (!all || !message || !common) fail("memory");
  for (int n = 0; n < members; ++n) {
    all[n].fd = accept(listener, NULL, NULL);
    if (all[n].fd < 0) fail("accept");
    setsockopt(all[n].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    all[n].bytes = snprintf(all[n].paths, sizeof all[n].paths,
                            "MSRP d93kswow8s7de SEND\r\nTo-Path: msrp://127.0.0.1:34567/0123456789ab%06d0001;tcp\r\n"
                            "From-Path: msrp://127.0.0.1:2855/kUl6bTgTBHgJ0Q9ppi%04x;tcp\r\n", n, n & 0xffff);
  }
  const int sender = accept(listener, NULL, NULL);
  if (sender < 0) fail("accept");
  for (unsigned long number = 0;; ++number) {
    for (int got = 0; got < size;) {
      const ssize_t more = read(sender, message + got, (size_t)(size - got));
      if (more <= 0) return 0;
      got += (int)more;
    }
    int head = sprintf(common, "Message-ID: 01234567.0.0.%08lx\r\nByte-Range: 1-%d/%d\r\nFailure-Report: no\r\n"
                               "Content-Type: message/cpim\r\n\r\n", number & 0xffffffff, size, size);
    memcpy(common + head, message, (size_t)size);
    head += size;
    head += sprintf(common + head, "\r\n-------d93kswow8s7de$\r\n");
    for (int n = 0; n < members; ++n) {
      struct iovec pieces[2] = {{all[n].paths, (size_t)all[n].bytes}, {common, (size_t)head}};
      struct msghdr to = {.msg_iov = pieces, .msg_iovlen = 2};
      if (sendmsg(all[n].fd, &to, MSG_NOSIGNAL) != all[n].bytes + head) fail("sendmsg");
    }
  }
}
