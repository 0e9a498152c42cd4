// tests/sim/rooms/scenario.cc - see scenario.h.
#include "tests/sim/rooms/scenario.h"

#include <algorithm>
#include <utility>

#include "tests/sim/rooms/agent.h"
#include "tests/sim/rest.h"
#include "tests/sim/rooms/operator.h"
#include "tests/sim/sip/server.h"

namespace parley::sim::rooms {
namespace {

// How often participants are what they should not be. From a stream of its own, as Faults.
struct Manners {
  std::uint32_t crashes = 0;
  bool drains = false;
  std::uint32_t stream_permille = 400;
  std::uint32_t passive_permille = 300;
  std::uint32_t decline_permille = 0, silent_permille = 0, cancel_permille = 0, lapse_permille = 0;
  std::uint32_t slow_permille = 0, dribble_permille = 0, mute_permille = 0, refuse_permille = 0;
  std::uint32_t break_permille = 0, stall_permille = 0, cut_permille = 0, lie_permille = 0;
  std::uint32_t operator_permille = 0;
  Duration answer_max{};

  static Manners draw(std::uint64_t seed) {
    Rng rng(seed, 22);
    Manners m;
    auto on = [&rng] { return rng.coin(1, 2); };
    if (rng.coin(1, 6)) m.crashes = rng.between32(1, 2);
    m.drains = rng.coin(1, 10);
    m.stream_permille = rng.coin(1, 4) ? 0 : rng.coin(1, 3) ? 1000 : 400;
    if (on()) m.decline_permille = rng.between32(20, 300);
    if (rng.coin(1, 3)) m.silent_permille = rng.between32(20, 200);
    if (rng.coin(1, 3)) m.cancel_permille = rng.between32(50, 600);
    if (rng.coin(1, 3)) m.lapse_permille = rng.between32(100, 1000);
    if (rng.coin(1, 3)) m.slow_permille = rng.between32(50, 500);
    if (rng.coin(1, 3)) m.dribble_permille = rng.between32(50, 500);
    if (rng.coin(1, 4)) m.mute_permille = rng.between32(5, 200);
    if (rng.coin(1, 4)) m.refuse_permille = rng.between32(5, 100);
    if (on()) m.break_permille = rng.between32(5, 80);
    if (rng.coin(1, 3)) m.stall_permille = rng.between32(5, 80);
    if (rng.coin(1, 3)) m.cut_permille = rng.between32(5, 40);
    if (rng.coin(1, 3)) m.lie_permille = rng.between32(10, 120);
    if (rng.coin(1, 3)) m.operator_permille = rng.between32(5, 40);
    if (on()) m.answer_max = std::chrono::milliseconds(rng.scaled(1, 6000));
    return m;
  }
};

Faults faults_of(const Options& options) {
  Faults faults = Faults::draw(options.seed);
  faults.plant = options.plant;
  if (options.plant == Plant::early_release && faults.hold_max < 1ms) faults.hold_max = 50ms;
  faults.wall_jumps = false;
  return faults;
}

policy::Rule rule_for(const std::string& key, bool anybody, const std::vector<std::string>& actions) {
  policy::Rule rule;
  rule.id = anybody ? "all" : key;
  if (anybody) {
    rule.conditions.is_list_member = true;
  } else {
    rule.conditions.has_identity = true;
    rule.conditions.one = {key};
  }
  for (const std::string& name : actions) rule.actions.push_back({.space = {}, .name = name, .value = "true"});
  return rule;
}

class Scenario {
 public:
  explicit Scenario(const Options& options)
      : options_(options),
        rng_(options.seed, 20),
        manners_(Manners::draw(options.seed)),
        world_(options.seed, faults_of(options), options.trace),
        book_(world_.journal, world_.agenda),
        users_(rng_.between32(4, 7)),
        hidden_(rng_.coin(1, 3) ? users_ - 1 : users_),
        shards_(rng_.coin(1, 2) ? 1 : rng_.between32(2, 3)),
        server_(world_, book_.server, draw_others(), draw_sip(), shards_, users_),
        operator_(world_, server_.place(), book_) {}

  Outcome run();

 private:
  policy::Config draw_others();
  std::shared_ptr<policy::SipConfig> draw_sip();
  void add_agents();
  void plan(Instant calm_at);
  void act();
  void settle();
  void probe();
  [[nodiscard]] bool check_counts();
  Agent& any() { return *agents_[rng_.next() % agents_.size()]; }
  std::string user(std::uint64_t n) { return "user" + std::to_string(n); }
  std::string any_user();  // one that may be named
  std::string group(bool team) { return std::string("sip:") + (team ? "team" : "lounge") + "@" + book_.server.domain; }

  const Options& options_;
  Rng rng_;
  Manners manners_;
  World world_;
  Book book_;
  std::uint32_t users_;
  std::uint32_t hidden_;  // this one is always anonymous
  std::uint32_t shards_;
  std::string limits_;
  sip::ServerPlace server_;
  Operator operator_;
  std::vector<std::unique_ptr<Agent>> agents_;
  std::string shape_;
};

policy::Config Scenario::draw_others() {
  policy::Config config;
  auto relay = std::make_shared<msrp::RelayConfig>();
  relay->listeners = {{"127.0.0.1", 2855, 2855, address_v4(1, 2855), false},
                      {"127.0.0.1", 2856, 2856, address_v4(1, 2856), true}};
  relay->dial_allow = {*core::parse_cidr("127.0.0.0/8")};
  relay->ends_max = 1024;
  if (rng_.coin(1, 3)) relay->end_queue_bytes_max = static_cast<std::uint32_t>(rng_.scaled(4096, 262'144));
  if (rng_.coin(1, 4)) relay->end_unanswered_max = rng_.between32(2, 64);
  config.relay = relay;
  auto rooms = std::make_shared<policy::RoomConfig>();
  if (rng_.coin(1, 4)) rooms->ring_bytes = static_cast<std::uint32_t>(rng_.scaled(8192, 262'144));
  if (rng_.coin(1, 3)) rooms->rejoin_window = std::chrono::seconds(rng_.between(30, 300));
  if (rng_.coin(1, 4)) rooms->lag_time = std::chrono::seconds(rng_.between(10, 60));
  config.rooms = rooms;
  limits_ = "queue " + std::to_string(relay->end_queue_bytes_max) + ", unanswered " + std::to_string(relay->end_unanswered_max) +
            ", ring " + std::to_string(rooms->ring_bytes) + ", rejoin " + std::to_string(rooms->rejoin_window.count() / 1'000'000'000) +
            " s, lag " + std::to_string(rooms->lag_time.count() / 1'000'000'000) + " s";
  book_.kept_max = std::min(rooms->ring_bytes, rooms->one_to_one_ring_bytes) / 2;
  return config;
}

std::shared_ptr<policy::SipConfig> Scenario::draw_sip() {
  auto config = std::make_shared<policy::SipConfig>();
  const std::string& domain = book_.server.domain;
  config->location.aors_max = 64;
  config->registrar.expires_min_s = 1;
  config->sources.requests = 0;
  config->calls.carrying = policy::Carrying::b2bua;
  config->calls.timer.min_se_seconds = 90;
  config->calls.timer.interval_seconds = rng_.between32(90, 300);
  config->calls.timer.alone = true;
  config->calls.drain = std::chrono::seconds(rng_.between(5, 40));
  config->focus.on = true;
  config->focus.factory = "sip:factory@" + domain;
  if (rng_.coin(1, 3)) config->focus.answer = policy::FocusAnswer::immediate;
  if (rng_.coin(1, 3)) config->focus.lost_max = std::chrono::seconds(rng_.between(10, 120));
  if (rng_.coin(1, 2)) config->focus.invite_timeout = std::chrono::seconds(rng_.between(10, 60));
  if (rng_.coin(1, 2)) config->conference_events.package.interval_min = std::chrono::milliseconds(rng_.between(0, 2000));
  auto documents = std::make_shared<policy::Documents>();
  for (const bool team : {true, false}) {
    policy::GroupSpec spec;
    spec.uri = group(team);
    spec.display_name = team ? "Team" : "Lounge";
    spec.invite_members = team;
    for (std::uint32_t n = 0; n < users_; ++n) {
      if (!team || (n % 2 == 0 && n != hidden_))  // who is invited shows his name
        spec.members.push_back({.uri = "sip:" + user(n) + "@" + domain, .key = {}, .display_name = {}});
    }
    spec.rules = {rule_for("", true,
                           {"join-handling", "allow-initiate-conference", "allow-conference-state", "allow-anonymity",
                            "allow-private-message"}),
                  rule_for("sip:user0@" + domain, false, {"allow-expelling", "allow-invite-users-dynamically"})};
    policy::Group made(std::move(spec));
    const std::string key = made.key();
    documents->groups.emplace(key, std::move(made));
  }
  config->documents = documents;
  return config;
}

std::string Scenario::any_user() {
  std::uint64_t n = rng_.next() % users_;
  if (n == hidden_) n = 0;
  return user(n);
}

void Scenario::add_agents() {
  std::uint32_t number = 0;
  unsigned streams = 0;
  for (std::uint32_t n = 0; n < users_; ++n) {
    book_.people[user(n)] = n == hidden_;
    for (std::uint32_t devices = n != hidden_ && rng_.coin(1, 5) ? 2 : 1; devices > 0; --devices) {
      AgentTraits t;
      t.stream = rng_.permille(manners_.stream_permille);
      t.anonymous = n == hidden_;
      t.passive = rng_.permille(manners_.passive_permille);
      t.timer = rng_.coin(2, 3);
      t.lapse_permille = manners_.lapse_permille;
      if (rng_.coin(1, 2)) t.decline_permille = manners_.decline_permille;
      if (rng_.coin(1, 2)) t.silent_permille = manners_.silent_permille;
      t.cancel_permille = manners_.cancel_permille;
      if (rng_.coin(1, 2)) t.answer_max = manners_.answer_max;
      if (rng_.permille(manners_.slow_permille)) t.media.read_per_tick = rng_.scaled(20, 4000);
      if (rng_.permille(manners_.dribble_permille)) t.media.write_per_tick = rng_.scaled(20, 4000);
      if (rng_.coin(1, 2)) t.media.mute_permille = manners_.mute_permille;
      if (rng_.coin(1, 2)) t.media.refuse_permille = manners_.refuse_permille;
      if (rng_.coin(1, 2)) t.media.answer_max = manners_.answer_max;
      streams += t.stream;
      if (t.anonymous) book_.hidden[user(n)] = number;
      agents_.push_back(std::make_unique<Agent>(world_, server_.place(), book_, number, user(n),
                                                address_v4(0x200 + number, static_cast<std::uint16_t>(6000 + number)),
                                                server_.udp(), t));
      ++number;
    }
  }
  shape_ = "rooms, " + std::to_string(shards_) + " shards, " + std::to_string(users_) + " users" +
           (hidden_ < users_ ? ", one anonymous" : "") + ", " + std::to_string(number) + " devices, " +
           std::to_string(streams) + " by TCP, " + std::to_string(manners_.crashes) + " crashes" +
           (manners_.drains ? ", drains" : "");
  world_.journal.line("%s", limits_.c_str());
  world_.journal.line("seed %llu: %s", static_cast<unsigned long long>(options_.seed), shape_.c_str());
}

void Scenario::act() {
  Agent& agent = any();
  const std::uint64_t draw = rng_.next() >> 1;
  const bool hides = agent.traits().anonymous;
  if (rng_.permille(manners_.lie_permille)) return agent.lie(draw);
  if (rng_.permille(manners_.break_permille)) return agent.break_media(draw);
  if (rng_.permille(manners_.stall_permille)) return agent.stall_media(draw);
  if (rng_.permille(manners_.operator_permille)) return operator_.act(draw);
  if (rng_.permille(manners_.cut_permille)) {
    ++world_.journal.faults;
    return agent.cut();
  }
  std::uint64_t what = rng_.next() % 100;
  if (!agent.in_any() && what < 70) what = 70 + what % 16;  // else little would be said
  if (what < 45) return agent.say(draw);
  if (what < 50) return agent.whisper(draw);
  if (what < 53) return agent.rename(draw);
  if (what < 56) return agent.watch(draw);
  if (what < 60) return agent.change(draw);
  if (what < 63) return agent.expel(draw);
  if (what < 66) return agent.bring(draw);
  if (what < 70) return agent.quit(draw);
  if (what < 76) return agent.join(group(rng_.coin(1, 3)));
  if (hides) return;
  if (what < 80) return agent.call(any_user());
  if (what < 86) {
    std::vector<std::string> users;
    for (std::uint64_t n = rng_.between(1, 4); n > 0; --n) users.push_back(any_user());
    return agent.gather(users);
  }
  if (what < 90) return agent.come_back(draw);
  agent.say(draw);
}

void Scenario::plan(Instant calm_at) {
  const Instant start = world_.agenda.now();
  const auto span = static_cast<std::uint64_t>((calm_at - start).count()) / 1000;
  auto sometime = [&] { return start + std::chrono::microseconds(rng_.between(0, span)); };
  for (auto& agent : agents_) {
    world_.agenda.after(std::chrono::microseconds(rng_.scaled(1, 1'000'000)),
                        [a = agent.get(), seconds = rng_.between32(20, 300)] { a->enrol(seconds); });
  }
  for (std::uint64_t n = rng_.scaled(40, 500); n > 0; --n) world_.agenda.at(sometime(), [this] { act(); });
  for (std::uint32_t n = 0; n < manners_.crashes; ++n) {
    const Instant at = sometime();
    world_.agenda.at(at, [this] {
      if (server_.down()) return;
      book_.server_gone();
      server_.crash();
    });
    world_.agenda.at(std::min(calm_at, at + std::chrono::milliseconds(rng_.scaled(1, 8000))),
                     [this] { server_.restart(); });
  }
  if (manners_.drains) {
    server_.before_end = [this] { book_.server_gone(); };
    world_.agenda.at(sometime(), [this] { server_.drain(); });
  }
}

// The server has as many sessions and participants as the Book.
bool Scenario::check_counts() {
  std::uint64_t sessions = 0, in = 0, server_sessions = 0, server_in = 0;
  for (const auto& [name, room] : book_.rooms) {
    if (room->life != book_.server.life) continue;
    const auto here = std::count_if(room->seats.begin(), room->seats.end(), [](const Seat* seat) { return seat->is_in(); });
    in += static_cast<std::uint64_t>(here);
    sessions += here != 0;
  }
  for (const policy::Service* brain : server_.brains()) {
    server_sessions += brain->sip()->focus().sessions();
    server_in += brain->sip()->focus().participants();
  }
  if (sessions == server_sessions && in == server_in) return true;
  world_.journal.line("the server has %llu sessions and %llu participants, here are %llu and %llu",
                      static_cast<unsigned long long>(server_sessions), static_cast<unsigned long long>(server_in),
                      static_cast<unsigned long long>(sessions), static_cast<unsigned long long>(in));
  return false;
}

// What is said now is heard by everybody in the session.
void Scenario::probe() {
  std::map<const Room*, Said*> probes;
  for (auto& agent : agents_) {
    for (std::uint64_t n = 0; n < 6; ++n) {
      Said* said = nullptr;
      agent->say(n, &said);
      if (said != nullptr) probes[said->by->room] = said;
    }
  }
  world_.run_until(world_.agenda.now() + 20s);
  for (const auto& [room, said] : probes) {
    for (const Seat* seat : room->seats) {
      if (!seat->is_in() || seat == said->by || world_.journal.failed()) continue;
      if (!seat->place.contains(said))
        world_.journal.fail("liveness: message %u is not heard at seat %u (%s) of session %s", said->number, seat->number,
                            seat->user.c_str(), room->name.c_str());
    }
  }
}

void Scenario::settle() {
  world_.calm();
  server_.restart();
  const Instant calm_at = book_.server.calm_at = world_.agenda.now();
  for (auto& agent : agents_) {
    agent->behave();
    agent->enrol(200);
  }
  // Invitations that nobody answers have their end, connections that are lost are found to be.
  world_.run_until(calm_at + 20s);
  for (auto& agent : agents_) agent->mend();
  world_.run_until(calm_at + 45s);  // by then a server that drained has begun anew
  for (auto& agent : agents_) agent->enrol(200);
  bool called = false, joined = false;
  world_.agenda.at(calm_at + 60s, [this, &called] { agents_.front()->call(user(1), &called); });
  world_.agenda.at(calm_at + 62s, [this, &joined] { agents_[agents_.size() / 2]->join(group(false), &joined); });
  world_.run_until(calm_at + 100s);
  if (world_.journal.failed()) return;
  if (!called || !joined) world_.journal.fail("liveness: %s", called ? "nobody comes into a group" : "a call is not answered");
  world_.run_until(calm_at + 200s);  // invite_timeout
  for (int looks = 0; looks < 8 && !check_counts(); ++looks) world_.run_until(world_.agenda.now() + 30s);
  if (!check_counts()) {
    for (const auto& seat : book_.seats) {
      if (seat->room != nullptr && seat->is_in()) world_.journal.line("in %s: seat %u, %s, agent %u", seat->room->name.c_str(), seat->number, seat->user.c_str(), seat->agent);
    }
    operator_.tell();
    world_.run_until(world_.agenda.now() + 1s);
  }
  if (!check_counts()) world_.journal.fail("membership: the server and its participants do not agree");
  for (auto& agent : agents_) agent->check_rosters();
  if (!world_.journal.failed()) probe();
  if (world_.journal.failed()) return;
  book_.settle(server_.counted(core::Metric::room_missed), server_.counted(core::Metric::msrp_ends_refused), server_.counted(core::Metric::room_lagging) != 0);
  if (world_.journal.failed()) return;
  for (auto& agent : agents_) agent->wind_up();
  world_.run_until(world_.agenda.now() + 1200s);
  if (world_.journal.failed()) return;
  for (auto& agent : agents_) {
    if (const std::string waits = agent->waiting(); !waits.empty())
      world_.journal.fail("liveness: agent waits: %s", waits.c_str());
  }
  server_.check_rest();
}

Outcome Scenario::run() {
  add_agents();
  const Instant start = world_.agenda.now();
  const Instant calm_at = start + std::chrono::seconds(rng_.coin(1, 8) ? rng_.between(200, 500) : rng_.between(10, 60));
  world_.schedule_troubles(calm_at);
  plan(calm_at);
  world_.run_until(calm_at);
  if (!world_.journal.failed()) settle();
  if (world_.journal.failed()) print_counters(world_);
  Outcome out;
  out.failure = world_.journal.failure();
  out.shape = shape_;
  out.hash = world_.journal.hash();
  out.events = world_.agenda.done();
  out.faults = world_.journal.faults;
  out.deliveries = book_.delivered;
  out.messages = book_.said.size();
  out.virtual_seconds = static_cast<double>((world_.agenda.now() - start).count()) / 1e9;
  return out;
}

}  // namespace

Outcome run_rooms_seed(const Options& options) {
  Scenario scenario(options);
  return scenario.run();
}

}  // namespace parley::sim::rooms
