// tests/service/restarted.cc - see restarted.h.
#include "tests/service/restarted.h"

namespace parley::tests {

unsigned long number_of(const std::string& notify) { return std::stoul("0" + header(notify, "CSeq")); }

unsigned long version_of(const std::string& notify) { return std::stoul("0" + version(notify)); }

void RestartEvents::SetUp() { make(); }

void RestartEvents::make(const std::function<void(policy::SipConfig&)>& change, std::uint32_t shards) {
  config = sip_config();
  config->stores_bindings = true;
  config->im.participating = true;
  if (change) change(*config);
  world = std::make_unique<SipWorld>(config, shards);
  alice = std::make_unique<Watcher>(*world, "alice", "127.0.0.1:40001");
}

void RestartEvents::pass(core::Duration time) {
  world->now.wall_ms += std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  world->advance(time);
}

void RestartEvents::crash() {
  pass(1s);
  world->crash(config);
  (void)world->take();
}

std::string RestartEvents::told() {
  std::string all;
  for (const SipWorld::Sent& sent : world->take()) {
    if (sent.text.starts_with("NOTIFY")) all += core::to_string(sent.to).substr(10) + " ";
  }
  return all;
}

std::string RestartEvents::first(Watcher& who) {
  EXPECT_TRUE(who.notifies().empty()) << "nothing in the first moment";
  pass(600ms);
  return who.notify();
}

}  // namespace parley::tests
