// core/resolver.cc - see resolver.h.
#include "core/resolver.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "core/check.h"
#include "core/proactor.h"
#include "core/socket.h"

namespace parley::core {
namespace {

constexpr std::size_t targets_max = 8;     // SRV targets that are looked at
constexpr std::size_t addresses_max = 16;  // of one answer
constexpr int try_ms = 1500;
constexpr int tries = 2;

Instant clock_now() {
  ::timespec at{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &at);
  return Instant{Duration{std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec}};
}

struct Target {
  std::string name;
  std::uint16_t port = 0;
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
};

}  // namespace

struct Resolver::Work {
  struct Lookup {
    Work* work = nullptr;
    std::string key;
    std::string host;
    std::uint16_t port = 0;
    std::vector<Question> waiting;  // one lookup answers all who ask the same
    std::vector<Target> targets;
    std::vector<std::vector<ResolvedAddress>> found;  // by target
    std::size_t open = 0;                             // queries of c-ares that will call back
    Duration ttl = 60s;
    Instant deadline{};
    bool answered = false;
  };
  struct Cached {
    std::vector<ResolvedAddress> addresses;
    Instant until{};
  };
  struct AddressQuery {
    Lookup* lookup;
    std::size_t target;
  };

  explicit Work(Resolver& resolver) : owner(resolver) {
    ::ares_options options{};
    options.timeout = try_ms;
    options.tries = tries;
    CHECK(::ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) == ARES_SUCCESS);
    if (!owner.config_.servers.empty()) (void)::ares_set_servers_ports_csv(channel, owner.config_.servers.c_str());
  }
  ~Work() { ::ares_destroy(channel); }  // every open query calls back with ARES_EDESTRUCTION first

  void begin(Question question) {
    const std::string key = question.request.host + ' ' + std::to_string(question.request.port) + ' ' +
                            (question.request.port == 0 ? question.request.srv_service : std::string());
    const Instant now = clock_now();
    if (const auto hit = cache.find(key); hit != cache.end()) {
      if (now < hit->second.until) {
        answer(question, hit->second.addresses);
        return;
      }
      cache.erase(hit);
    }
    if (const auto same = lookups.find(key); same != lookups.end() && !same->second->answered) {
      same->second->waiting.push_back(std::move(question));
      return;
    }
    auto made = std::make_unique<Lookup>();
    Lookup& lookup = *made;
    lookup.work = this;
    lookup.key = key;
    lookup.host = question.request.host;
    lookup.port = question.request.port != 0 ? question.request.port : owner.config_.default_port;
    lookup.ttl = owner.config_.cache_max;
    lookup.deadline = now + owner.config_.timeout;
    const bool srv = question.request.port == 0 && !question.request.srv_service.empty();
    const std::string srv_name = question.request.srv_service + '.' + question.request.host;
    lookup.waiting.push_back(std::move(question));
    lookup.open = 1;  // so that no callback from inside finishes it while it is being set up
    if (const auto old = lookups.find(key); old != lookups.end()) overdue.push_back(std::move(old->second));
    lookups[key] = std::move(made);
    if (srv) {
      ++lookup.open;
      ::ares_query(channel, srv_name.c_str(), ns_c_in, ns_t_srv, on_srv, &lookup);
    } else {
      ask_addresses(lookup, {{lookup.host, lookup.port, 0, 0}});
    }
    done_one(lookup);
  }

  static void on_srv(void* arg, int status, int, unsigned char* bytes, int size) {
    auto& lookup = *static_cast<Lookup*>(arg);
    std::vector<Target> targets;
    bool refused = false;
    if (status == ARES_SUCCESS) {
      ::ares_srv_reply* replies = nullptr;
      if (::ares_parse_srv_reply(bytes, size, &replies) == ARES_SUCCESS) {
        for (const ::ares_srv_reply* at = replies; at != nullptr; at = at->next) {
          const std::string name = at->host;
          if (name.empty() || name == ".") {
            refused = true;  // RFC 2782: the service is decidedly not available
            continue;
          }
          targets.push_back({name, at->port, at->priority, at->weight});
        }
        ::ares_free_data(replies);
      }
    }
    if (status != ARES_EDESTRUCTION && status != ARES_ECANCELLED) {
      // Weight orders within a priority; heavier first is a fair reading of RFC 2782 for a handful of next hops.
      std::stable_sort(targets.begin(), targets.end(), [](const Target& a, const Target& b) {
        return a.priority != b.priority ? a.priority < b.priority : a.weight > b.weight;
      });
      if (targets.size() > targets_max) targets.resize(targets_max);
      if (targets.empty() && !refused) targets.push_back({lookup.host, lookup.port, 0, 0});
      lookup.work->ask_addresses(lookup, std::move(targets));
    }
    lookup.work->done_one(lookup);
  }

  void ask_addresses(Lookup& lookup, std::vector<Target> targets) {
    lookup.targets = std::move(targets);
    lookup.found.resize(lookup.targets.size());
    for (std::size_t i = 0; i < lookup.targets.size(); ++i) {
      ++lookup.open;
      ::ares_addrinfo_hints hints{};
      hints.ai_family = AF_UNSPEC;
      hints.ai_socktype = SOCK_STREAM;
      hints.ai_flags = ARES_AI_NOSORT;
      ::ares_getaddrinfo(channel, lookup.targets[i].name.c_str(), nullptr, &hints, on_addresses,
                         new AddressQuery{&lookup, i});
    }
  }

  static void on_addresses(void* arg, int status, int, ::ares_addrinfo* result) {
    const std::unique_ptr<AddressQuery> query(static_cast<AddressQuery*>(arg));
    Lookup& lookup = *query->lookup;
    if (status == ARES_SUCCESS && result != nullptr) {
      const Target& target = lookup.targets[query->target];
      for (const ::ares_addrinfo_node* node = result->nodes; node != nullptr; node = node->ai_next) {
        ::sockaddr_storage storage{};
        std::memcpy(&storage, node->ai_addr, std::min<std::size_t>(node->ai_addrlen, sizeof storage));
        ResolvedAddress found{from_sockaddr(storage), target.name};
        found.address.port = target.port;
        lookup.found[query->target].push_back(std::move(found));
        lookup.ttl = std::min<Duration>(lookup.ttl, std::chrono::seconds(std::max(node->ai_ttl, 1)));
      }
    }
    if (result != nullptr) ::ares_freeaddrinfo(result);
    lookup.work->done_one(lookup);
  }

  void done_one(Lookup& lookup) {
    if (--lookup.open > 0) return;
    finish(lookup);
    finished.push_back(&lookup);  // freed outside the callbacks
  }

  void finish(Lookup& lookup) {
    if (lookup.answered) return;
    lookup.answered = true;
    std::vector<ResolvedAddress> addresses;
    for (auto& part : lookup.found) {
      for (ResolvedAddress& address : part) {
        if (addresses.size() < addresses_max) addresses.push_back(std::move(address));
      }
    }
    for (const Question& question : lookup.waiting) answer(question, addresses);
    lookup.waiting.clear();
    if (cache.size() >= owner.config_.cached_max) cache.clear();
    const Duration keep = addresses.empty() ? owner.config_.cache_failure : lookup.ttl;
    cache[lookup.key] = {std::move(addresses), clock_now() + keep};
  }

  void answer(const Question& question, const std::vector<ResolvedAddress>& addresses) {
    {
      const std::lock_guard lock(owner.mutex_);
      --owner.waiting_;
    }
    Post post;
    post.kind = Post::Kind::resolved;
    post.resolution.token = question.request.token;
    post.resolution.addresses = addresses;
    owner.mailboxes_.post(question.shard, std::move(post));
  }

  void expire() {
    const Instant now = clock_now();
    for (auto& [key, lookup] : lookups) {
      if (now >= lookup->deadline) finish(*lookup);
    }
    for (Lookup* gone : finished) {
      std::erase_if(overdue, [&](const auto& each) { return each.get() == gone; });
      const auto at = lookups.find(gone->key);
      if (at != lookups.end() && at->second.get() == gone) lookups.erase(at);
    }
    finished.clear();
  }

  void wait() {
    ::ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    const auto bits = static_cast<unsigned>(::ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM));
    ::pollfd watched[ARES_GETSOCK_MAXNUM + 1] = {};
    ::nfds_t count = 0;
    watched[count++] = {owner.wake_fd_, POLLIN, 0};
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      short events = 0;
      if (ARES_GETSOCK_READABLE(bits, i)) events |= POLLIN;
      if (ARES_GETSOCK_WRITABLE(bits, i)) events |= POLLOUT;
      if (events != 0) watched[count++] = {sockets[i], events, 0};
    }
    int wait_ms = -1;
    if (!lookups.empty() || !overdue.empty()) {
      ::timeval most{0, 200'000};  // fine enough for a deadline of seconds
      ::timeval next{};
      const ::timeval* at = ::ares_timeout(channel, &most, &next);
      wait_ms = static_cast<int>(at->tv_sec * 1000 + at->tv_usec / 1000 + 1);
    }
    (void)::poll(watched, count, wait_ms);
    if ((watched[0].revents & POLLIN) != 0) {
      std::uint64_t ignored = 0;
      (void)!::read(owner.wake_fd_, &ignored, sizeof ignored);
    }
    for (::nfds_t i = 1; i < count; ++i) {
      const bool in = (watched[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
      const bool out = (watched[i].revents & POLLOUT) != 0;
      if (in || out)
        ::ares_process_fd(channel, in ? watched[i].fd : ARES_SOCKET_BAD, out ? watched[i].fd : ARES_SOCKET_BAD);
    }
    ::ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // time-outs
  }

  Resolver& owner;
  ::ares_channel channel = nullptr;
  std::map<std::string, std::unique_ptr<Lookup>> lookups;
  std::vector<std::unique_ptr<Lookup>> overdue;  // answered at their deadline, c-ares still busy, name asked again
  std::map<std::string, Cached> cache;
  std::vector<Lookup*> finished;
};

Resolver::Resolver(Mailboxes& mailboxes, ResolverConfig config)
    : mailboxes_(mailboxes), config_(std::move(config)), wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(wake_fd_ >= 0);
  CHECK(::ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
  thread_ = std::thread([this] { serve(); });
}

Resolver::~Resolver() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_from_outside(wake_fd_);
  thread_.join();
  ::close(wake_fd_);
  ::ares_library_cleanup();
}

void Resolver::ask(std::uint32_t shard, ResolveRequest request) {
  Post post;
  post.kind = Post::Kind::resolved;
  post.resolution.token = request.token;
  const std::uint16_t port = request.port != 0 ? request.port : config_.default_port;
  if (const auto literal = parse_ip(request.host, port)) {
    post.resolution.addresses.push_back({*literal, request.host});
    mailboxes_.post(shard, std::move(post));
    return;
  }
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    full = waiting_ >= config_.waiting_max;
    if (!full) {
      ++waiting_;
      asked_.push_back({shard, std::move(request)});
    }
  }
  if (full) {
    mailboxes_.post(shard, std::move(post));
  } else {
    wake_from_outside(wake_fd_);
  }
}

void Resolver::serve() {
  Work work(*this);
  std::vector<Question> taken;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
      taken.swap(asked_);
    }
    for (Question& question : taken) work.begin(std::move(question));
    taken.clear();
    work.expire();
    work.wait();
    work.expire();
  }
}

}  // namespace parley::core
