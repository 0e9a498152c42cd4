// tests/sim/rooms/operator.cc - see operator.h.
#include "tests/sim/rooms/operator.h"

#include <utility>
#include <vector>

#include "tests/sim/json_value.h"

namespace parley::sim::rooms {
namespace {

// One field of all objects of a list.
std::vector<std::string> all(const std::string& json, const std::string& name) {
  std::vector<std::string> found;
  std::string value;
  for (std::size_t at = 0; json_value(json, name, at, value);) found.push_back(value);
  return found;
}

}  // namespace

void Operator::act(std::uint64_t draw) {
  Shard& shard = *place_.shards[draw % place_.shards.size()];
  ask(shard, core::AdminRequest::Kind::list_rooms, "100", {Step::list, draw >> 8, {}});
}

void Operator::tell() {
  for (auto& shard : place_.shards) ask(*shard, core::AdminRequest::Kind::list_rooms, "100", {Step::tell, 0, {}});
}

void Operator::ask(Shard& shard, core::AdminRequest::Kind kind, const std::string& argument, const Question& question) {
  core::AdminRequest request;
  request.id = next_++;
  request.kind = kind;
  request.argument = argument;
  open_[request.id] = question;
  shard.admin(std::move(request));
}

void Operator::answered(Shard& from, const core::AdminReply& reply) {
  const auto found = open_.find(reply.id);
  if (found == open_.end()) return world_.journal.fail("an answer that no operator waits for");
  const Question question = found->second;
  open_.erase(found);
  const std::string json = reply.json;
  if (question.step == Step::tell) {
    world_.journal.line("the server has %s", json.c_str());
    for (const std::string& id : all(json, "id")) ask(from, core::AdminRequest::Kind::show_room, id + " 100", {Step::done, 0, {}});
    return;
  }
  if (question.step == Step::done) return world_.journal.line("operator: %s", json.c_str());
  const std::vector<std::string> ids = all(json, "id");
  if (question.step == Step::list) {
    if (ids.empty()) return;
    const std::size_t chosen = question.draw % ids.size();
    const std::string name = all(json, "name")[chosen];
    if (question.draw >> 32 & 1) return ask(from, core::AdminRequest::Kind::show_room, ids[chosen] + " 100", {Step::show, question.draw >> 8, ids[chosen] + "/" + name});
    // Only the beginning of its name is told.
    book_.closed_names.insert(name);
    world_.journal.line("operator closes %s", name.c_str());
    ++world_.journal.faults;
    return ask(from, core::AdminRequest::Kind::close_room, ids[chosen], {Step::done, 0, {}});
  }
  // Behind that of the session.
  if (ids.size() < 2) return;
  const std::size_t chosen = 1 + question.draw % (ids.size() - 1);
  const std::string user = all(json, "user")[chosen - 1];
  const std::size_t slash = question.room.find('/');
  book_.booted_names.emplace(question.room.substr(slash + 1), user.substr(4, user.find('@') - 4));
  world_.journal.line("operator makes %s go from %s", user.c_str(), question.room.c_str());
  ++world_.journal.faults;
  ask(from, core::AdminRequest::Kind::kick_member, question.room.substr(0, slash) + " " + ids[chosen], {Step::done, 0, {}});
}

}  // namespace parley::sim::rooms
