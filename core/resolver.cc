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
#include <span>
#include <utility>

#include "core/check.h"
#include "core/dns_records.h"
#include "core/entropy.h"
#include "core/proactor.h"
#include "core/resolve_plan.h"
#include "core/side_thread.h"
#include "core/socket.h"
#include "core/text.h"

namespace parley::core {
namespace {

constexpr std::size_t addresses_max = 16;  // of one answer
constexpr int try_ms = 1500;
constexpr int tries = 2;

Instant clock_now() {
  ::timespec at{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &at);
  return Instant{Duration{std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec}};
}

// A target and the addresses it has; what is kept of an answer.
struct Found {
  ResolveTarget target;
  std::vector<Address> addresses;
};

// Whether a status says that there is no such record, rather than that nobody could tell.
bool is_absence(int status) { return status == ARES_ENOTFOUND || status == ARES_ENODATA; }
bool is_ending(int status) { return status == ARES_EDESTRUCTION || status == ARES_ECANCELLED; }

// Of a query that failed c-ares gives what it got, or nothing: not to be looked into.
std::span<const unsigned char> message(int status, const unsigned char* bytes, int size) {
  if (status != ARES_SUCCESS || bytes == nullptr || size < 0) return {};
  return {bytes, static_cast<std::size_t>(size)};
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), lower);
  return text;
}

// All of a request that its answer depends on.
std::string key_of(const ResolveRequest& request) {
  std::string key = lower_case(request.host) + ' ' + std::to_string(request.port) + ' ';
  if (request.procedure == ResolveRequest::Procedure::srv) return key + request.srv_service;
  key += "sip ";
  key += request.secure ? 's' : '-';
  key += request.websocket ? 'w' : '-';
  key += request.transport ? static_cast<char>('0' + static_cast<int>(*request.transport)) : '-';
  return key;
}

// What a certificate has to match: see ResolvedAddress.
const std::string& certified_name(const ResolveRequest& request, const ResolveTarget& target) {
  return request.procedure == ResolveRequest::Procedure::sip ? request.host : target.name;
}

}  // namespace

struct Resolver::Work {
  struct Lookup {
    Work* work = nullptr;
    std::string key;
    ResolveRequest request;  // of the first who asked
    ResolvePlan plan;
    std::vector<Question> waiting;  // one lookup answers all who ask the same
    std::vector<ResolveTarget> targets;
    std::vector<Found> found;  // one for each of those targets that are asked for
    std::size_t open = 0;      // queries of c-ares that will call back
    std::size_t open_srv = 0;  // SRV queries among them
    bool refused = false;      // RFC 2782: some service is decidedly not available
    bool failed = false;       // some answer did not come
    Duration ttl{};
    Instant deadline{};
    bool answered = false;
    // Not after it was answered at its deadline, and not when the resolver ends.
    [[nodiscard]] bool expects(int status) const { return !answered && !is_ending(status); }
  };
  struct Cached {
    std::vector<Found> found;
    Instant until{};
  };
  struct Query {
    Lookup* lookup;
    std::size_t index;  // of its services, or of `found`
  };

  explicit Work(Resolver& resolver) : owner(resolver), random(resolver.config_.seed.value_or(system_seed())) {
    ::ares_options options{};
    options.timeout = try_ms;
    options.tries = tries;
    CHECK(::ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) == ARES_SUCCESS);
    if (!owner.config_.servers.empty()) (void)::ares_set_servers_ports_csv(channel, owner.config_.servers.c_str());
  }
  ~Work() { ::ares_destroy(channel); }  // every open query calls back with ARES_EDESTRUCTION first

  void begin(Question question) {
    const std::string key = key_of(question.request);
    const Instant now = clock_now();
    if (const auto hit = cache.find(key); hit != cache.end()) {
      if (now < hit->second.until) {
        answer(question, hit->second.found);
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
    lookup.request = question.request;
    lookup.plan = resolve_plan(question.request, owner.config_.default_port);
    lookup.ttl = owner.config_.cache_max;
    lookup.deadline = now + owner.config_.timeout;
    lookup.waiting.push_back(std::move(question));
    lookup.open = 1;  // so that no callback from inside finishes it while it is being set up
    if (const auto old = lookups.find(key); old != lookups.end()) overdue.push_back(std::move(old->second));
    lookups[key] = std::move(made);
    if (lookup.plan.naptr) {
      ++lookup.open;
      ::ares_query(channel, lookup.request.host.c_str(), ns_c_in, ns_t_naptr, on_naptr, new Query{&lookup, 0});
    } else {
      ask_services(lookup);
    }
    done_one(lookup);
  }

  static void on_naptr(void* arg, int status, int, unsigned char* bytes, int size) {
    const std::unique_ptr<Query> query(static_cast<Query*>(arg));
    Lookup& lookup = *query->lookup;
    if (lookup.expects(status)) {
      lookup.work->note(lookup, status, message(status, bytes, size));
      std::vector<ResolveService> services = services_of(naptr_records(message(status, bytes, size)), lookup.request);
      if (!services.empty()) {
        // RFC 3263 4.1: they say which transport it is, also when SRV then knows nothing.
        lookup.plan.fallback.transport = services.front().transport;
        lookup.plan.fallback.port = sip_default_port(services.front().transport);
        lookup.plan.services = std::move(services);
      }
      lookup.work->ask_services(lookup);
    }
    lookup.work->done_one(lookup);
  }

  void ask_services(Lookup& lookup) {
    ++lookup.open_srv;  // as `open` in begin
    for (std::size_t i = 0; i < lookup.plan.services.size(); ++i) {
      ++lookup.open;
      ++lookup.open_srv;
      ::ares_query(channel, lookup.plan.services[i].srv_name.c_str(), ns_c_in, ns_t_srv, on_srv, new Query{&lookup, i});
    }
    if (--lookup.open_srv == 0) ask_targets(lookup);
  }

  static void on_srv(void* arg, int status, int, unsigned char* bytes, int size) {
    const std::unique_ptr<Query> query(static_cast<Query*>(arg));
    Lookup& lookup = *query->lookup;
    --lookup.open_srv;
    if (lookup.expects(status)) {
      lookup.work->note(lookup, status, message(status, bytes, size));
      take_srv(lookup, query->index, message(status, bytes, size));
      if (lookup.open_srv == 0) lookup.work->ask_targets(lookup);
    }
    lookup.work->done_one(lookup);
  }

  static void take_srv(Lookup& lookup, std::size_t service, std::span<const unsigned char> message) {
    SrvRecords records = srv_records(message);
    lookup.refused = lookup.refused || records.refused;
    for (ResolveTarget& target : records.targets) {
      target.transport = lookup.plan.services[service].transport;
      target.service = static_cast<std::uint16_t>(service);
      lookup.targets.push_back(std::move(target));
    }
  }

  void ask_targets(Lookup& lookup) {
    // With more targets than we ask for, the lot says which; those of the first service and priority go before.
    draw_order(lookup.targets, random);
    if (lookup.targets.size() > resolve_targets_max) lookup.targets.resize(resolve_targets_max);
    if (lookup.targets.empty() && !lookup.refused) lookup.targets.push_back(lookup.plan.fallback);
    for (ResolveTarget& target : lookup.targets) lookup.found.push_back({std::move(target), {}});
    lookup.targets.clear();
    for (std::size_t i = 0; i < lookup.found.size(); ++i) {
      ++lookup.open;
      ::ares_addrinfo_hints hints{};
      hints.ai_family = AF_UNSPEC;
      hints.ai_socktype = SOCK_STREAM;
      hints.ai_flags = ARES_AI_NOSORT;
      ::ares_getaddrinfo(channel, lookup.found[i].target.name.c_str(), nullptr, &hints, on_addresses,
                         new Query{&lookup, i});
    }
  }

  static void on_addresses(void* arg, int status, int, ::ares_addrinfo* result) {
    const std::unique_ptr<Query> query(static_cast<Query*>(arg));
    Lookup& lookup = *query->lookup;
    if (lookup.expects(status)) {
      if (status != ARES_SUCCESS && !is_absence(status)) lookup.failed = true;
      if (result != nullptr) take_addresses(lookup, lookup.found[query->index], *result);
    }
    if (result != nullptr) ::ares_freeaddrinfo(result);
    lookup.work->done_one(lookup);
  }

  static void take_addresses(Lookup& lookup, Found& found, const ::ares_addrinfo& result) {
    for (const ::ares_addrinfo_node* node = result.nodes; node != nullptr; node = node->ai_next) {
      ::sockaddr_storage storage{};
      std::memcpy(&storage, node->ai_addr, std::min<std::size_t>(node->ai_addrlen, sizeof storage));
      Address address = from_sockaddr(storage);
      address.port = found.target.port;
      if (found.addresses.size() < addresses_max) found.addresses.push_back(address);
      keep_for_at_most(lookup, node->ai_ttl);
    }
  }

  static void keep_for_at_most(Lookup& lookup, std::int64_t ttl_s) {
    lookup.ttl = std::min<Duration>(lookup.ttl, std::chrono::seconds(std::max<std::int64_t>(ttl_s, 1)));
  }

  // What an answer about services says about how long to keep the whole.
  void note(Lookup& lookup, int status, std::span<const unsigned char> bytes) const {
    if (is_absence(status)) {
      lookup.ttl = std::min(lookup.ttl, owner.config_.cache_absent);
    } else if (status != ARES_SUCCESS) {
      lookup.failed = true;
    } else if (const auto ttl = least_ttl_s(bytes)) {
      keep_for_at_most(lookup, *ttl);
    }
  }

  void done_one(Lookup& lookup) {
    if (--lookup.open > 0) return;
    finish(lookup);
    finished.push_back(&lookup);  // freed outside the callbacks
  }

  void finish(Lookup& lookup) {
    if (lookup.answered) return;
    lookup.answered = true;
    std::erase_if(lookup.found, [](const Found& each) { return each.addresses.empty(); });
    for (const Question& question : lookup.waiting) answer(question, lookup.found);
    lookup.waiting.clear();
    Duration keep = lookup.ttl;
    if (lookup.found.empty()) keep = std::min(keep, owner.config_.cache_absent);
    if (lookup.failed || lookup.open > 0) keep = std::min(keep, owner.config_.cache_failure);  // part of an answer
    remember(lookup.key, {std::move(lookup.found), clock_now() + keep});
  }

  void remember(const std::string& key, Cached cached) {
    if (cache.size() >= owner.config_.cached_max && !cache.contains(key)) {
      cache.erase(std::min_element(cache.begin(), cache.end(), [](const auto& a, const auto& b) {
        return a.second.until < b.second.until;  // the one that ends next is missed least
      }));
    }
    cache[key] = std::move(cached);
  }

  void answer(const Question& question, const std::vector<Found>& found) {
    {
      const std::lock_guard lock(owner.mutex_);
      --owner.waiting_;
    }
    Post post;
    post.kind = Post::Kind::resolved;
    post.resolution.token = question.request.token;
    post.resolution.addresses = in_drawn_order(question.request, found);
    owner.mailboxes_.post(question.shard, std::move(post));
  }

  std::vector<ResolvedAddress> in_drawn_order(const ResolveRequest& request, const std::vector<Found>& found) {
    std::vector<ResolveTarget> targets;
    for (const Found& each : found) targets.push_back(each.target);
    draw_order(targets, random);
    std::vector<ResolvedAddress> addresses;
    for (const ResolveTarget& target : targets) {
      const auto from = std::find_if(found.begin(), found.end(), [&](const Found& each) {
        return each.target.service == target.service && each.target.name == target.name &&
               each.target.port == target.port && each.target.priority == target.priority;
      });
      for (const Address& address : from->addresses) {
        if (addresses.size() == addresses_max) return addresses;
        addresses.push_back({address, certified_name(request, target), target.transport});
      }
    }
    return addresses;
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
  Random random;
};

Resolver::Resolver(Mailboxes& mailboxes, ResolverConfig config)
    : mailboxes_(mailboxes), config_(std::move(config)), wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(wake_fd_ >= 0);
  CHECK(::ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
  thread_ = std::thread([this] {
    begin_side_thread("names");
    serve();
  });
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
  const ResolvePlan plan = resolve_plan(request, config_.default_port);
  const auto literal = parse_ip(request.host, plan.fallback.port);
  if (literal || !plan.possible) {
    if (plan.possible) post.resolution.addresses.push_back({*literal, request.host, plan.fallback.transport});
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
