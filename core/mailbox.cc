// core/mailbox.cc - see mailbox.h.
#include "core/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "core/check.h"
#include "core/proactor.h"
#include "core/tls_conn.h"

namespace parley::core {

Adopted::Adopted() = default;
Adopted::~Adopted() {
  if (fd >= 0) ::close(fd);
}

void Mail::drop() {
  std::free(bytes);
  delete adopted;
  delete served;
}

Mailboxes::Mailboxes(std::uint32_t shards) : count_(shards), boxes_(shards), rings_(std::size_t{shards} * shards) {
  for (Box& box : boxes_) {
    box.event_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(box.event_fd >= 0);
  }
}

Mailboxes::~Mailboxes() {
  Mail mail;
  for (MailRing& ring : rings_) {
    while (ring.pop(mail)) mail.drop();
  }
  for (Box& box : boxes_) ::close(box.event_fd);
}

void Mailboxes::post(std::uint32_t to, Post post) {
  Box& box = boxes_[to];
  {
    const std::lock_guard lock(box.mutex);
    box.posts.push_back(std::move(post));
  }
  if (announce(to)) wake_from_outside(box.event_fd);
}

void Mailboxes::take_posts(std::uint32_t shard, std::vector<Post>& out) {
  Box& box = boxes_[shard];
  const std::lock_guard lock(box.mutex);
  for (Post& post : box.posts) out.push_back(std::move(post));
  box.posts.clear();
}

}  // namespace parley::core
