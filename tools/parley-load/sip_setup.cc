// tools/parley-load/sip_setup.cc - sockets and connections, and the users' registrations before the load.
#include <openssl/rand.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/websocket_upgrade.h"
#include "tools/parley-load/clock.h"
#include "tools/parley-load/sip_worker.h"

namespace parley::load {
namespace {

std::string random_digits(size_t bytes) {
  std::array<unsigned char, 16> raw{};
  RAND_bytes(raw.data(), static_cast<int>(raw.size()));
  std::string out(2 * bytes, '0');
  SipText text(out.data());
  for (size_t i = 0; i < bytes; ++i) text.hex(raw[i], 2);
  return out;
}

}  // namespace

SipWorker::SipWorker(const SipOptions& options, const Pattern& pattern, Shared& shared, const TlsContext* tls,
                     uint32_t thread)
    : options_(options),
      pattern_(pattern),
      shared_(shared),
      tls_(tls),
      thread_(thread),
      run_(random_digits(4)),
      registrar_uri_("sip:" + options.domain),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      in_(kSipHeadBytesMax + options.size_bytes),
      read_(kReadBytes),
      events_(kEventsMax) {
  make_users();
  if (options_.pairwise()) make_pairs();
}

SipWorker::~SipWorker() { ::close(epoll_); }

// Users belong to the thread of their pair; without pairs they are dealt out in turn.
void SipWorker::make_users() {
  const auto total = static_cast<uint32_t>(options_.users.size());
  for (uint32_t i = 0; i < total; ++i) {
    const uint32_t place = options_.pairwise() && total >= 2ULL * options_.pairs ? i / 2 : i;
    if (place % options_.threads != thread_) continue;
    auto user = std::make_unique<User>();
    user->index = i;
    user->account = options_.users[i];
    user->aor = "sip:" + user->account.name + "@" + options_.domain;
    user->call_id = "R" + run_ + std::to_string(i);
    users_.push_back(std::move(user));
  }
  const size_t sockets = options_.sockets == 0 ? users_.size() : std::min<size_t>(options_.sockets, users_.size());
  const size_t links = options_.datagrams() ? sockets : users_.size();
  for (size_t i = 0; i < links; ++i) links_.push_back(std::make_unique<Link>());
  for (size_t i = 0; i < users_.size(); ++i) {
    users_[i]->link = links_[i % links].get();
    if (!options_.datagrams()) links_[i]->user = users_[i].get();
  }
}

void SipWorker::make_pairs() {
  std::map<uint32_t, User*> by_index;
  for (const auto& user : users_) by_index[user->index] = user.get();
  for (uint32_t i = thread_; i < options_.pairs; i += options_.threads) {
    auto pair = std::make_unique<SipPair>();
    pair->index = i;
    pair->receiver = by_index[options_.receiver_of(i)];
    pair->sender = by_index[options_.sender_of(i)];
    pairs_.push_back(std::move(pair));
  }
}

void SipWorker::setup_all() {
  const uint64_t deadline = now_ns() + static_cast<uint64_t>(options_.setup_s * 1e9);
  if (options_.datagrams()) {
    for (size_t i = 0; i < links_.size(); ++i) {
      const bool fixed = i == 0 && thread_ == 0 && !options_.bind_text.empty();
      if (!links_[i]->open_datagrams(options_.server, fixed ? &options_.bind : nullptr))
        return fail_setup(std::string("UDP socket: ") + std::strerror(errno));
      link_ready(*links_[i]);
    }
  }
  while (ready_ < users_.size() && !setup_failed()) {
    now_ = now_ns();
    while (started_ < users_.size() && started_ - ready_ < options_.setups_at_once && !setup_failed())
      start_user(*users_[started_++]);
    turn(now_ns() + kNsPerSecond / 10);
    if (shared_.stop || shared_.give_up) fail_setup("interrupted");
    if (now_ns() > deadline)
      fail_setup("only " + std::to_string(ready_) + " of " + std::to_string(users_.size()) +
                 " users were ready in time (--setup-timeout)");
  }
  if (options_.mode == SipMode::pager) return prepare_pager();
  for (const auto& pair : pairs_) options_.mode == SipMode::call ? prepare_call(*pair) : prepare_message(*pair);
}

void SipWorker::start_user(User& user) {
  Link& link = *user.link;
  if (link.state == Link::State::ready) {
    const std::string name = options_.websocket() ? "ws" : options_.transport_text;  // RFC 7118 section 5.2.3
    user.contact_uri = "sip:" + user.account.name + "@" + link.address + ";transport=" + name;
    if (options_.outbound) {
      std::string uuid = random_digits(16);
      for (const size_t at : {8U, 13U, 18U, 23U}) uuid.insert(at, "-");
      user.instance = ";+sip.instance=\"<urn:uuid:" + uuid + ">\";reg-id=1";
    }
    if (options_.mode == SipMode::pager && options_.pager.im_tag) user.instance += ";+g.oma.sip-im";
    const bool first = options_.registers && (options_.pairwise() || options_.idle > 0);
    return first ? begin_registration(user, true, now_) : user_ready();
  }
  link.state = Link::State::connecting;
  if (!link.stream.connect(options_.server, tls_)) return fail_setup(std::string("connect: ") + std::strerror(errno));
  link.epoll_mask = EPOLLOUT;
  epoll_event event{.events = EPOLLOUT, .data = {.ptr = &link}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, link.fd(), &event);
}

void SipWorker::on_establish(Link& link) {
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &link}};
  switch (link.stream.establish()) {
    case Stream::Step::failed: return fail_setup("connection: " + link.stream.failure());
    case Stream::Step::want_write: event.events = EPOLLOUT; break;
    case Stream::Step::want_read: break;
    case Stream::Step::done:
      if (options_.websocket()) return start_upgrade(link);
      link_ready(link);
      start_user(*link.user);
      return;
  }
  link.epoll_mask = event.events;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, link.fd(), &event);
}

void SipWorker::start_upgrade(Link& link) {
  link.state = Link::State::upgrading;
  link.epoll_mask = EPOLLIN;
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &link}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, link.fd(), &event);
  std::array<uint8_t, 16> random{};
  RAND_bytes(random.data(), static_cast<int>(random.size()));
  link.websocket_key = core::WebSocketKey(random).view();
  out_.raw(link, "GET / HTTP/1.1\r\nHost: " + options_.server_text +
                     "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Key: " +
                     link.websocket_key + "\r\n\r\n");
}

// `rest` holds what came so far; frames may stand behind the answer. False: more is needed or it is refused.
bool SipWorker::take_upgrade(Link& link, std::string_view& rest) {
  const size_t end = rest.find("\r\n\r\n");
  if (end == std::string_view::npos) return false;
  const core::WebSocketAccept accept = core::websocket_accept(link.websocket_key);
  const std::string_view head = rest.substr(0, end);
  if (!head.starts_with("HTTP/1.1 101 ") || head.find(std::string_view(accept.data(), accept.size())) == head.npos) {
    fail_setup("WebSocket refused: " + std::string(head.substr(0, head.find('\r'))));
    return false;
  }
  rest.remove_prefix(end + 4);
  link.websocket = std::make_unique<core::WebSocketReader>(core::WebSocketConfig{
      .side = core::WebSocketConfig::Side::client, .message_bytes_max = kSipHeadBytesMax + options_.size_bytes});
  link_ready(link);
  start_user(*link.user);
  return true;
}

void SipWorker::link_ready(Link& link) {
  link.state = Link::State::ready;
  link.name_itself(options_.transport);
  link.epoll_mask = EPOLLIN;
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &link}};
  epoll_ctl(epoll_, link.datagrams ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, link.fd(), &event);
}

void SipWorker::user_ready() { ++ready_; }

void SipWorker::fail_setup(const std::string& why) {
  if (setup_error_.empty()) setup_error_ = why;
}

}  // namespace parley::load
