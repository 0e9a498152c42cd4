// tests/sim/operators.h - what operators do while traffic runs: they look at sessions, end one, load a new
// configuration, drain a relay. What the relay answers them is checked against what is known of its sessions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/sim/world.h"

namespace parley::sim {

class Operators {
 public:
  explicit Operators(World& world) : world_(world), rng_(world.seed, 8) {}

  // Puts what they will do on the agenda, from now until `until`.
  void schedule(Instant until);
  void reply(Shard& from, const core::AdminReply& reply);
  // At rest: every question was answered.
  void settle();

 private:
  struct Audit {  // one look at all shards of a relay
    Place* place = nullptr;
    Instant since{};
    std::size_t missing = 0;
    std::set<std::string> users;
    std::map<std::uint64_t, std::string> numbers;  // number -> user
    bool kick = false;
    std::uint64_t draw = 0;
  };
  struct Question {
    core::AdminRequest::Kind kind = core::AdminRequest::Kind::summary;
    Shard* shard = nullptr;
    Place* place = nullptr;
    std::shared_ptr<Audit> audit;
    std::uint64_t number = 0;
    std::string user;
    bool nonsense = false;
  };
  void look(std::uint64_t draw, bool kick);
  void read_list(const Question& question, const std::string& json);
  void judge(const std::shared_ptr<Audit>& audit);
  void kick(Place& place, std::uint64_t number, const std::string& user);
  void ask_nonsense(std::uint64_t draw);
  void ask_summary(std::uint64_t draw);
  void reload(std::uint64_t draw);
  void ask(Question question, std::string argument);

  World& world_;
  Rng rng_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Question> open_;
};

}  // namespace parley::sim
