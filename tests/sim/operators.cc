// tests/sim/operators.cc - see operators.h.
#include "tests/sim/operators.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "tests/sim/json_value.h"

namespace parley::sim {
namespace {

std::uint64_t to_number(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

void Operators::schedule(Instant until) {
  const auto span = static_cast<std::uint64_t>((until - world_.agenda.now()).count()) / 1000;
  auto sometime = [&] { return world_.agenda.now() + std::chrono::microseconds(rng_.between(0, span)); };
  const Faults& faults = world_.faults;
  for (std::uint64_t looks = rng_.between(0, 2); looks > 0; --looks) {
    world_.agenda.at(sometime(), [this, draw = rng_.next()] { look(draw, false); });
    world_.agenda.at(sometime(), [this, draw = rng_.next()] { ask_nonsense(draw); });
    world_.agenda.at(sometime(), [this, draw = rng_.next()] { ask_summary(draw); });
  }
  for (std::uint32_t n = 0; n < faults.kicks; ++n) {
    world_.agenda.at(sometime(), [this, draw = rng_.next()] { look(draw, true); });
  }
  for (std::uint32_t n = 0; n < faults.reloads; ++n) {
    world_.agenda.at(sometime(), [this, draw = rng_.next()] { reload(draw); });
  }
  if (faults.drain) {
    // Not before something could be under way.
    const Instant when = std::max(sometime(), world_.agenda.now() + (until - world_.agenda.now()) / 3);
    world_.agenda.at(when, [this, draw = rng_.next()] {
      ++world_.journal.faults;
      world_.drain(*world_.places()[draw % world_.places().size()]);
    });
  }
}

void Operators::ask(Question question, std::string argument) {
  core::AdminRequest request;
  request.id = next_id_++;
  request.kind = question.kind;
  request.argument = std::move(argument);
  Shard& shard = *question.shard;
  if (shard.ended()) return;
  open_[request.id] = std::move(question);
  shard.admin(std::move(request));
}

void Operators::look(std::uint64_t draw, bool kick_one) {
  Place& place = *world_.places()[draw % world_.places().size()];
  auto audit = std::make_shared<Audit>();
  audit->place = &place;
  audit->since = world_.agenda.now();
  audit->missing = place.shards.size();
  audit->kick = kick_one;
  audit->draw = draw >> 8;
  for (auto& shard : place.shards) {
    if (shard->ended()) return;
  }
  for (auto& shard : place.shards) {
    ask({core::AdminRequest::Kind::list_sessions, shard.get(), &place, audit, 0, {}, false}, "1000");
  }
}

void Operators::ask_summary(std::uint64_t draw) {
  Place& place = *world_.places()[draw % world_.places().size()];
  Shard* shard = place.shards[(draw >> 8) % place.shards.size()].get();
  ask({core::AdminRequest::Kind::summary, shard, &place, nullptr, 0, {}, false}, "");
}

void Operators::ask_nonsense(std::uint64_t draw) {
  static constexpr const char* arguments[] = {"", "x", "0", "-1", "99999999999999999999", "7 ", "18446744073709551615"};
  Place& place = *world_.places()[draw % world_.places().size()];
  Shard* shard = place.shards[(draw >> 8) % place.shards.size()].get();
  ask({core::AdminRequest::Kind::kick_session, shard, &place, nullptr, 0, {}, true}, arguments[(draw >> 16) % 7]);
}

void Operators::kick(Place& place, std::uint64_t number, const std::string& user) {
  ++world_.journal.faults;
  Shard* shard = place.shards[(number >> 48) % place.shards.size()].get();
  ask({core::AdminRequest::Kind::kick_session, shard, &place, nullptr, number, user, false}, std::to_string(number));
}

void Operators::reply(Shard& from, const core::AdminReply& reply) {
  const auto found = open_.find(reply.id);
  if (found == open_.end() || found->second.shard != &from) {
    world_.journal.fail("%s answers an operator's question that is not open", from.name().c_str());
    return;
  }
  const Question question = std::move(found->second);
  open_.erase(found);
  std::size_t at = 0;
  std::string value;
  switch (question.kind) {
    case core::AdminRequest::Kind::list_sessions: read_list(question, reply.json); break;
    case core::AdminRequest::Kind::kick_session:
      if (!json_value(reply.json, "kicked", at, value) || (question.nonsense && value != "false")) {
        world_.journal.fail("%s answers a kick: %s", from.name().c_str(), reply.json.c_str());
      } else if (!question.nonsense) {
        world_.sessions.kick_answered(*question.place, question.number, question.user, value == "true");
      }
      break;
    case core::AdminRequest::Kind::summary:
      if (!json_value(reply.json, "shard", at, value) ||
          question.place->shards[to_number(value) % question.place->shards.size()].get() != &from) {
        world_.journal.fail("%s sums itself up wrongly: %s", from.name().c_str(), reply.json.c_str());
      }
      break;
    default: break;  // not asked here
  }
}

void Operators::read_list(const Question& question, const std::string& json) {
  std::size_t at = 0;
  std::string number;
  std::string user;
  Audit& audit = *question.audit;
  while (json_value(json, "id", at, number) && json_value(json, "user", at, user)) {
    world_.sessions.listed(*question.place, to_number(number), user);
    audit.users.insert(user);
    audit.numbers[to_number(number)] = user;
  }
  if (--audit.missing == 0) judge(question.audit);
}

void Operators::judge(const std::shared_ptr<Audit>& audit) {
  for (const std::string& user : world_.sessions.to_be_listed(*audit->place, audit->since)) {
    if (!audit->users.contains(user)) world_.journal.fail("sessions: the one of %s is not shown", user.c_str());
  }
  if (!audit->kick || audit->numbers.empty() || world_.faults.quiet) return;
  auto chosen = audit->numbers.begin();
  std::advance(chosen, audit->draw % audit->numbers.size());
  kick(*audit->place, chosen->first, chosen->second);
  if ((audit->draw >> 32) % 3 == 0) kick(*audit->place, chosen->first, chosen->second);  // once more: not there
}

// What SIGHUP may bring: other users, other lifetimes, other watermarks, another patience.
void Operators::reload(std::uint64_t draw) {
  if (world_.faults.quiet) return;
  ++world_.journal.faults;
  Place& place = *world_.places()[draw % world_.places().size()];
  Rng rng(draw, 9);
  auto config = std::make_shared<msrp::RelayConfig>(*place.config());
  config->watermark_high_bytes = static_cast<std::uint32_t>(rng.scaled(4096, 262'144));
  config->watermark_low_bytes = config->watermark_high_bytes / 2;
  config->expires_default_s = world_.faults.lifetime_s == 0 ? rng.between32(300, 900) : rng.between32(3, 20);
  config->response_timeout = std::chrono::seconds(rng.between(5, 30));
  if (rng.coin(1, 2)) {
    auto revoked = config->users.begin();
    std::advance(revoked, rng.next() % config->users.size());
    if (!world_.spared_users.contains(revoked->first)) config->users.erase(revoked);
  }
  world_.reload(place, std::move(config));
}

void Operators::settle() {
  for (const auto& [id, question] : open_) {
    if (question.shard->ended()) continue;
    world_.journal.fail("%s owes an operator an answer", question.shard->name().c_str());
  }
}

}  // namespace parley::sim
