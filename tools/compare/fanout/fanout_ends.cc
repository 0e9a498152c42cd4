// tools/compare/fanout/fanout_ends.cc - parleyd's loop and MSRP with a room that is nothing but the fan-out, without SIP:
// what MSRP costs by itself, beside fanout_loop.
//
//   fanout_ends MEMBERS URIS [yes]
//
// Prints its port; writes the URI of each member, and of one more who publishes, to the file URIS, one a line. Member n
// is msrp://127.0.0.1:9/mNNNNNN;tcp. yes: members are asked for answers.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "core/address.h"
#include "core/entropy.h"
#include "core/loop.h"
#include "core/mailbox.h"
#include "core/socket.h"
#include "policy/service.h"

namespace {

using namespace parley;

class Room final : public policy::Service::FactTaker {
 public:
  Room(core::Pool& pool, std::size_t members, std::string uris, bool answered)
      : pool_(pool), count_(members), uris_(std::move(uris)), answered_(answered) {}

  void on_step(msrp::Ends& ends) override {
    ends_ = &ends;
    if (!all_.empty()) return;
    std::ofstream file(uris_);
    for (std::size_t n = 0; n <= count_; ++n) {
      char peer[64];
      std::snprintf(peer, sizeof peer, "msrp://127.0.0.1:9/m%06zu;tcp", n);
      const msrp::EndHandle end = ends.open(false, n);
      ends.connect(end, {peer});
      file << ends.uri(end) << "\n";
      all_.push_back(end);
    }
    file << "." << std::endl;
  }
  void on_fact(msrp::EndFact& fact) override {
    if (fact.kind == msrp::EndFact::Kind::closed) std::exit(0);
    if (fact.kind != msrp::EndFact::Kind::piece) return;
    // One that comes in pieces is put together first.
    std::string_view collected;
    if (!fact.first || !fact.last) {
      if (fact.first) pieces_.clear();
      if (fact.body.length != 0) pieces_.append(pool_.view(fact.body));
      if (!fact.last) return;
      collected = pieces_;
      fact.body = {};
    }
    ends_->answer(fact.token, 200);
    not_sent_.clear();
    ends_->fan_out(std::span(all_).first(count_),
                   {.headers = fact(fact.head->headers),
                    .failure = answered_ ? msrp::FailureReport::yes : msrp::FailureReport::no,
                    .tell_200 = false,
                    .with_range = false,
                    .prefix = collected,
                    .body = fact.body},
                   not_sent_);
    if (!not_sent_.empty()) std::fprintf(stderr, "%zu not sent\n", not_sent_.size());
  }

 private:
  core::Pool& pool_;
  std::string pieces_;
  const std::size_t count_;
  const std::string uris_;
  const bool answered_;
  msrp::Ends* ends_ = nullptr;
  std::vector<msrp::EndHandle> all_;
  std::vector<msrp::Ends::NotSent> not_sent_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "fanout_ends MEMBERS URIS [yes]\n"), 2;
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const core::Listening listening = core::listen_tcp(*core::parse_address("127.0.0.1:0"), false);
  if (listening.fd < 0) return std::fprintf(stderr, "%s\n", listening.error.c_str()), 1;
  auto config = std::make_shared<msrp::RelayConfig>();
  config->listeners.push_back({"127.0.0.1", listening.bound.port, listening.bound.port, listening.bound, false, false});
  config->end_timeout = std::chrono::hours(24 * 3650);  // counted from a clock that begins at zero
  core::SessionTable table(config->sessions_max + config->ends_max, 1);
  core::Pool pool(core::Pool::Config{});
  core::Metrics metrics;
  core::Mailboxes mailboxes(1);
  policy::Service service({.shard = 0,
                           .shard_count = 1,
                           .pool = pool,
                           .metrics = metrics,
                           .sessions = table,
                           .seed = core::system_seed(),
                           .config = policy::relay_only(config)});
  Room room(pool, std::strtoul(argv[1], nullptr, 10), argv[2], argc > 3);
  service.give_facts_to(&room);
  core::Outbox out(pool);
  service.step({}, core::Now{}, out);  // so that the sessions are there before anybody comes
  out.clear();
  core::LoopConfig loop;
  loop.listeners.push_back({.fd = listening.fd});
  std::printf("%u\n", listening.bound.port);  // the sessions are there
  std::fflush(stdout);
  const std::string why = core::Loop(std::move(loop), pool, metrics, service, mailboxes).run();
  return why.empty() ? 0 : (std::fprintf(stderr, "%s\n", why.c_str()), 1);
}
