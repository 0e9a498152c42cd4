// tests/sim/sip/scenario.cc - see scenario.h.
#include "tests/sim/sip/scenario.h"

#include <algorithm>

#include "tests/sim/sip/agent.h"
#include "tests/sim/sip/schedule.h"
#include "tests/sim/sip/server.h"

namespace parley::sim::sip {
namespace {

// How often user agents are what they should not be. From a stream of its own, as Faults.
struct Manners {
  std::uint32_t crashes = 0;
  std::uint32_t stream_permille = 400;
  std::uint32_t twice_permille = 0;
  std::uint32_t silent_permille = 0;
  std::uint32_t decline_permille = 0;
  std::uint32_t late_ok_permille = 0;
  std::uint32_t cancel_permille = 0;
  std::uint32_t vanish_permille = 0;
  std::uint32_t liar_permille = 0;
  std::uint32_t flood_permille = 0;
  std::uint32_t cut_permille = 0;
  Duration answer_max{};

  static Manners draw(std::uint64_t seed) {
    Rng rng(seed, 22);
    Manners m;
    auto on = [&rng] { return rng.coin(1, 2); };
    if (rng.coin(1, 3)) m.crashes = rng.between32(1, 2);
    m.stream_permille = rng.coin(1, 4) ? 0 : rng.coin(1, 3) ? 1000 : 400;
    if (rng.coin(1, 4)) m.twice_permille = rng.between32(100, 500);
    if (on()) m.silent_permille = rng.between32(20, 400);
    if (on()) m.decline_permille = rng.between32(50, 600);
    if (rng.coin(1, 3)) m.late_ok_permille = rng.between32(50, 500);
    if (on()) m.cancel_permille = rng.between32(100, 900);
    if (on()) m.vanish_permille = rng.between32(50, 400);
    if (rng.coin(1, 3)) m.liar_permille = rng.between32(100, 400);
    if (rng.coin(1, 5)) m.flood_permille = rng.between32(5, 30);
    if (on()) m.cut_permille = rng.between32(10, 100);
    if (on()) m.answer_max = std::chrono::milliseconds(rng.scaled(1, 8000));
    return m;
  }
};

Faults faults_of(const Options& options) {
  Faults faults = Faults::draw(options.seed);
  faults.plant = options.plant;
  if (options.plant == Plant::early_release && faults.hold_max < 1ms) faults.hold_max = 50ms;
  return faults;
}

class Scenario {
 public:
  Scenario(const Options& options, Cells* cells)
      : options_(options),
        rng_(options.seed, 20),
        manners_(Manners::draw(options.seed)),
        world_(options.seed, faults_of(options), options.trace),
        users_(rng_.between32(2, 5)),
        calls_rng_(options.seed, 23),
        rude_rng_(options.seed, 25),
        page_rng_(options.seed, 26),
        server_(world_, draw_role(), rng_, users_, cells) {}

  Outcome run();

 private:
  Book& draw_role();
  void add_agents();
  AgentTraits draw_traits();
  void draw_call_traits(AgentTraits& t);
  void plan_calls(Instant calm_at);
  void check_sessions();
  void plan(Instant calm_at);
  void act();
  void settle();
  Agent& any() { return *agents_[rng_.next() % agents_.size()]; }
  std::string any_user() { return "user" + std::to_string(rng_.next() % users_); }

  const Options& options_;
  Rng rng_;
  Manners manners_;
  World world_;
  Book book_;
  Schedule schedule_{world_, book_};
  std::uint32_t users_;
  Rng calls_rng_;
  Rng rude_rng_;
  Rng page_rng_;
  ServerPlace server_;
  std::vector<std::unique_ptr<Agent>> agents_;
  std::string shape_;
};

// From a stream of its own: the other seeds stay as they are.
Book& Scenario::draw_role() {
  book_.role = calls_rng_.coin(1, 3) ? Role::b2bua : Role::proxy;
  book_.timers = book_.role == Role::b2bua || calls_rng_.coin(1, 8);
  return book_;
}

void Scenario::draw_call_traits(AgentTraits& t) {
  Rng& rng = calls_rng_;
  auto on = [&rng] { return rng.coin(1, 2); };
  t.timer = rng.coin(2, 3);
  if (t.timer && on()) t.asks = rng.between32(60, 400);
  if (t.timer && on()) t.refresher = on() ? "uac" : "uas";
  if (t.timer && rng.coin(1, 3)) t.min_se = rng.between32(90, 400);
  t.update = on();
  if (rng.coin(1, 3)) t.lapse_permille = rng.between32(100, 1000);
  if (on()) t.long_permille = rng.between32(50, 600);
  if (rng.coin(3, 4)) t.change_permille = rng.between32(100, 1000);
  t.reliable = on();
  t.requires_reliable = t.reliable && rng.coin(1, 3);
  if (on()) t.late_offer_permille = rng.between32(50, 500);
  if (rng.coin(1, 4)) t.no_answer_permille = rng.between32(50, 500);
  if (rng.coin(1, 5)) t.no_ack_permille = rng.between32(50, 500);
  if (book_.role == Role::b2bua && rude_rng_.coin(2, 3)) t.rude_permille = rude_rng_.between32(100, 1000);
}

AgentTraits Scenario::draw_traits() {
  AgentTraits t;
  t.stream = rng_.permille(manners_.stream_permille);
  t.outbound = t.stream && rng_.coin(1, 2);
  t.no_accept = t.outbound && rng_.coin(1, 2);
  t.websocket = t.stream && page_rng_.coin(1, 4);
  t.no_accept = t.no_accept || t.websocket;
  t.twice = !t.outbound && rng_.permille(manners_.twice_permille) && !t.websocket;
  t.sha256 = rng_.coin(1, 2);
  if (rng_.coin(1, 2)) t.answer_max = manners_.answer_max;
  if (rng_.coin(1, 2)) t.silent_permille = manners_.silent_permille;
  if (rng_.coin(1, 2)) t.decline_permille = manners_.decline_permille;
  if (rng_.coin(1, 2)) t.late_ok_permille = manners_.late_ok_permille;
  t.cancel_permille = manners_.cancel_permille;
  t.old_ack = rng_.coin(1, 8);
  t.liar = rng_.permille(manners_.liar_permille);
  if (book_.timers) draw_call_traits(t);
  return t;
}

void Scenario::add_agents() {
  world_.watch = &schedule_;
  std::uint32_t number = 0;
  unsigned streams = 0, pages = 0;
  for (std::uint32_t user = 0; user < users_; ++user) {
    // One that stays out of trouble, so that every user can be reached at the end; then his other devices.
    for (std::uint32_t n = rng_.between32(1, 3); n > 0; --n) {
      AgentTraits traits = draw_traits();
      if (n == 1) traits.liar = false;
      streams += traits.stream;
      pages += traits.websocket;
      agents_.push_back(std::make_unique<Agent>(world_, server_.place(), book_, number, "user" + std::to_string(user),
                                                address_v4(0x200 + number, static_cast<std::uint16_t>(6000 + number)),
                                                server_.udp(), traits));
      ++number;
    }
  }
  shape_ = std::string("sip, ") +
           (book_.role == Role::b2bua ? "legs, "
            : book_.timers            ? "timers, "
                                      : "") +
           std::to_string(server_.place().shards.size()) + " shards, " + std::to_string(users_) + " users, " +
           std::to_string(number) + " agents, " + std::to_string(streams - pages) + " by TCP, " + std::to_string(pages) +
           " by WebSocket, " +
           std::to_string(manners_.crashes) + " crashes" + (book_.pressure ? ", little room" : "");
  world_.journal.line("seed %llu: %s", static_cast<unsigned long long>(options_.seed), shape_.c_str());
}

void Scenario::act() {
  Agent& agent = any();
  const std::uint64_t what = rng_.next() % 100;
  if (rng_.permille(manners_.flood_permille)) {
    ++world_.journal.faults;
    for (int n = 0; n < 60; ++n) agent.message(any_user(), 40);
  } else if (agent.traits().liar && rng_.coin(1, 2)) {
    agent.lie();
  } else if (rng_.permille(manners_.cut_permille)) {
    ++world_.journal.faults;
    agent.cut();
  } else if (what < 40) {
    agent.message(any_user(), rng_.coin(1, 10) ? rng_.between(1000, 6000) : rng_.scaled(0, 900));
  } else if (what < 75) {
    agent.call(any_user());
  } else if (what < 83) {
    agent.watch(rng_.between32(3, 120));
  } else if (what < 88) {
    agent.options();
  } else if (what < 94) {
    agent.enrol(rng_.between32(2, 120));
  } else {
    agent.leave();
  }
}

void Scenario::plan(Instant calm_at) {
  const Instant start = world_.agenda.now();
  const auto span = static_cast<std::uint64_t>((calm_at - start).count()) / 1000;
  auto sometime = [&] { return start + std::chrono::microseconds(rng_.between(0, span)); };
  for (auto& agent : agents_) {
    world_.agenda.after(std::chrono::microseconds(rng_.scaled(1, span / 4 + 1)),
                        [a = agent.get(), seconds = rng_.between32(2, 300)] { a->enrol(seconds); });
  }
  for (std::size_t n = 1; n < agents_.size(); ++n) {
    if (agents_[n - 1]->user() != agents_[n]->user() || !rng_.permille(manners_.vanish_permille)) continue;
    world_.agenda.at(sometime(), [a = agents_[n - 1].get()] { a->vanish(); });
  }
  for (std::uint64_t n = rng_.scaled(20, 240); n > 0; --n) world_.agenda.at(sometime(), [this] { act(); });
  for (std::uint32_t n = 0; n < manners_.crashes; ++n) {
    const Instant at = sometime();
    world_.agenda.at(at, [this] {
      schedule_.forget(server_.config().timer_c);
      server_.crash();
    });
    world_.agenda.at(std::min(calm_at, at + std::chrono::milliseconds(rng_.scaled(1, 8000))),
                     [this] { server_.restart(); });
  }
}

// What operators do, and mail between shards that is lost.
void Scenario::plan_calls(Instant calm_at) {
  Rng& rng = calls_rng_;
  const Instant start = world_.agenda.now();
  const auto span = static_cast<std::uint64_t>((calm_at - start).count()) / 1000;
  auto sometime = [&] { return start + std::chrono::microseconds(rng.between(0, span)); };
  if (rng.coin(1, 4)) {
    for (std::uint64_t n = rng.between(1, 3); n > 0; --n) world_.agenda.at(sometime(), [this] { server_.reload(); });
  }
  if (rng.coin(1, 4)) {
    server_.before_end = [this] {
      schedule_.forget(server_.config().timer_c);
      schedule_.rest(world_.mail_loss_permille != 0);
    };
    world_.agenda.at(sometime(), [this] {
      // What nobody waits for is given up by who ends.
      schedule_.forget(server_.config().timer_c);
      schedule_.rest(true);
      server_.drain();
    });
  }
  if (rng.coin(1, 6)) {
    world_.mail_loss_permille = rng.between32(5, 300);
    schedule_.rest(true);
  }
}

// No side of a call outlives the others, where nothing that was said of it can have been lost.
void Scenario::check_sessions() {
  const Instant now = world_.agenda.now();
  if (book_.role != Role::b2bua || book_.pressure) return;
  for (const auto& [ref, call] : book_.sessions) {
    if (!ref.starts_with("ref")) continue;  // a liar's
    // Its caller's end, or that of the last one who answered: the others came too late for it.
    const Book::Side& caller = call.sides[0];
    Instant first{};
    for (std::size_t n = 1; n < call.sides.size(); ++n) {
      const Book::Side& side = call.sides[n];
      first = std::max(first, side.life == book_.life && !side.over ? Instant::max() : side.over_at);
    }
    if (call.sides.size() == 1) first = Instant::max();
    if (caller.over) first = std::min(first, caller.over_at);
    if (caller.life != book_.life || first == Instant::max() || first < book_.calm_at + 1s || now - first < t1_64 + 10s)
      continue;
    const bool chosen = call.sides.size() > 2;  // others were told so, perhaps when not all arrived
    if (chosen && std::any_of(call.sides.begin(), call.sides.end(),
                              [this](const Book::Side& side) { return side.began < book_.calm_at; })) {
      continue;
    }
    for (const Book::Side& side : call.sides) {
      if (side.over || !side.confirmed || side.life != book_.life || agents_[side.agent]->gone() ||
          agents_[side.agent]->unreachable()) {
        continue;
      }
      world_.journal.fail("a call outlives its end by %.0f s: %s, %s at agent %u",
                          static_cast<double>((now - first).count()) / 1e9, ref.c_str(), side.call_id.c_str(),
                          side.agent);
      return;
    }
  }
}

void Scenario::settle() {
  world_.calm();
  server_.calm();
  server_.restart();
  const Instant calm_at = book_.calm_at = world_.agenda.now();
  std::vector<Agent*> alive;
  for (auto& agent : agents_) {
    if (agent->gone()) continue;
    agent->behave();
    // A refusal for its timer is known to the server when all devices have answered: one of them never will.
    const auto gone = [&](const auto& other) { return other->gone() && other->user() == agent->user(); };
    if (std::any_of(agents_.begin(), agents_.end(), gone)) agent->take_any_timer();
    agent->enrol(200);
    alive.push_back(agent.get());
  }
  // What is asked now is answered: to every user a MESSAGE and a call, from somebody.
  struct Probe {
    Agent* from;
    std::string to;
    int message = 0, call = 0, bye = 0;
  };
  std::vector<std::unique_ptr<Probe>> probes;
  for (std::uint32_t user = 0; user < users_; ++user) {
    probes.push_back(std::make_unique<Probe>(Probe{alive[rng_.next() % alive.size()], "user" + std::to_string(user)}));
    Probe* const p = probes.back().get();
    world_.agenda.at(calm_at + 50s + std::chrono::milliseconds(rng_.between(0, 4000)),
                     [p] { p->from->message(p->to, 100, &p->message); });
    world_.agenda.at(calm_at + 50s + std::chrono::milliseconds(rng_.between(0, 4000)),
                     [p] { p->from->call(p->to, &p->call, &p->bye); });
  }
  if (book_.role == Role::b2bua) {  // and calls that last until their timers have something to do
    for (std::uint64_t n = calls_rng_.between(0, 6); n > 0; --n) {
      world_.agenda.at(calm_at + std::chrono::milliseconds(calls_rng_.between(1000, 60'000)),
                       [from = alive[calls_rng_.next() % alive.size()], to = any_user()] { from->call(to); });
    }
  }
  world_.run_until(calm_at + 110s);
  if (world_.journal.failed()) return;
  for (const auto& p : probes) {
    if (book_.pressure) break;
    const bool patient = server_.config().timer_c >= 30s;
    // Where Timer C ends a call that rings, the other way to a callee with two has answered 482, and that goes back; from one leg
    // to the other as 500.
    const int merged = book_.role == Role::b2bua ? 500 : 482;
    const bool cut_off = !patient && (p->call == 487 || p->call == merged || (book_.timers && p->call == 480));
    if (p->message / 100 == 2 && ((p->call / 100 == 2 && p->bye == 200) || cut_off)) continue;
    world_.journal.fail("liveness: from %s to %s MESSAGE has %d, INVITE %d, BYE %d", p->from->user().c_str(),
                        p->to.c_str(), p->message, p->call, p->bye);
  }
  if (book_.timers) {  // sessions have their refreshes, or run out
    world_.run_until(world_.agenda.now() +
                     std::chrono::seconds(calls_rng_.coin(1, 2) ? 0 : calls_rng_.between(50, 500)));
    if (!world_.journal.failed()) check_sessions();
    if (world_.journal.failed()) return;
  }
  for (auto& agent : agents_) agent->wind_up();
  // Everything that was begun has its last timer: C, then 64*T1 for what is cancelled, and once more for its answer;
  // bindings of those that vanished, and connections that nobody uses.
  // A connection that a call relied on is kept for some time.
  world_.run_until(world_.agenda.now() + (book_.timers ? 2000s : 600s));
  if (world_.journal.failed()) return;
  for (auto& agent : agents_) {
    if (const std::string waits = agent->waiting(); !waits.empty())
      world_.journal.fail("liveness: %s waits", waits.c_str());
  }
  if (!schedule_.rests()) schedule_.settle(server_.config().timer_c);
  check_sessions();
  server_.check_rest();
  server_.count_cells();
}

Outcome Scenario::run() {
  add_agents();
  const Instant start = world_.agenda.now();
  const Instant calm_at = start + std::chrono::seconds(rng_.between(10, 60));
  world_.schedule_troubles(calm_at);
  plan(calm_at);
  if (book_.role == Role::b2bua) plan_calls(calm_at);
  world_.run_until(calm_at);
  if (!world_.journal.failed()) settle();
  Outcome out;
  out.failure = world_.journal.failure();
  out.shape = shape_;
  out.hash = world_.journal.hash();
  out.events = world_.agenda.done();
  out.faults = world_.journal.faults;
  out.deliveries = book_.delivered + book_.answered.size();
  out.messages = book_.requests;
  out.virtual_seconds = static_cast<double>((world_.agenda.now() - start).count()) / 1e9;
  return out;
}

}  // namespace

Outcome run_sip_seed(const Options& options, Cells* cells) {
  Scenario scenario(options, cells);
  return scenario.run();
}

}  // namespace parley::sim::sip
