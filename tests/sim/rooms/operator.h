// tests/sim/rooms/operator.h - who asks the server what sessions it has, makes members go and closes sessions.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/rooms/book.h"
#include "tests/sim/world.h"

namespace parley::sim::rooms {

class Operator {
 public:
  Operator(World& world, Place& place, Book& book) : world_(world), place_(place), book_(book) {
    world_.on_admin_reply = [this](Shard& from, const core::AdminReply& reply) { answered(from, reply); };
  }
  void act(std::uint64_t draw);
  void tell();  // what the server has goes into the trace

 private:
  enum class Step : std::uint8_t { list, show, done, tell };
  struct Question {
    Step step = Step::list;
    std::uint64_t draw = 0;
    std::string room;
  };
  void ask(Shard& shard, core::AdminRequest::Kind kind, const std::string& argument, const Question& question);
  void answered(Shard& from, const core::AdminReply& reply);

  World& world_;
  Place& place_;
  Book& book_;
  std::map<std::uint64_t, Question> open_;
  std::uint64_t next_ = 1;
};

}  // namespace parley::sim::rooms
