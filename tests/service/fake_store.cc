// tests/service/fake_store.cc - see fake_store.h.
#include "tests/service/fake_store.h"

#include <algorithm>
#include <variant>

namespace parley::tests {

void FakeStore::submit(std::uint32_t shard, std::vector<core::StoreOp>& ops) {
  for (core::StoreOp& op : ops) waiting_.push_back({shard, std::move(op)});
  ops.clear();
}

bool FakeStore::next(Answer& answer) {
  while (!stopped && !waiting_.empty()) {
    const Submitted submitted = std::move(waiting_.front());
    waiting_.pop_front();
    answer = {submitted.shard, {}};
    answer.result.token = submitted.op.token;
    std::visit([&](const auto& what) { carry_out(what, answer.result); }, submitted.op.what);
    if (on_answer) on_answer(answer.result);
    if (submitted.op.token != 0) return true;
  }
  return false;
}

void FakeStore::begin(std::int64_t now_ms) {
  std::erase_if(subscriptions, [&](const auto& each) { return each.second.expires_ms <= now_ms; });
  for (auto& [id, row] : subscriptions) {
    row.local_cseq = std::min(row.local_cseq + core::subscription_numbers_step, core::subscription_cseq_max);
    row.version += core::subscription_numbers_step;
  }
}

void FakeStore::lose_waiting() {
  waiting_.clear();
  std::erase_if(bodies, [this](const auto& each) { return !deferred.contains(each.first); });
  for (auto& [id, row] : histories) {
    if (row.ended_ms != 0) continue;
    row.ended_ms = row.began_ms;
    for (const auto& [key, message] : history_messages) {
      if (key.first == id) row.ended_ms = std::max(row.ended_ms, message.at_ms);
    }
    row.expires_ms += row.ended_ms - row.began_ms;
  }
}

core::StoreContents FakeStore::contents() const {
  core::StoreContents all;
  for (const auto& [key, row] : bindings) all.bindings.push_back(row);
  for (const auto& [id, row] : deferred) {
    if (std::find(all.deferred_users.begin(), all.deferred_users.end(), row.aor) == all.deferred_users.end()) {
      all.deferred_users.push_back(row.aor);
    }
    all.newest_id = std::max(all.newest_id, id);
  }
  for (const auto& [id, row] : sendings) {
    all.sendings.push_back(row);
    all.newest_id = std::max(all.newest_id, id);
  }
  for (const auto& [id, row] : system_messages) {
    all.system_messages.push_back(row);
    all.newest_id = std::max(all.newest_id, id);
  }
  if (!histories.empty()) all.newest_id = std::max(all.newest_id, histories.rbegin()->first);
  for (const auto& [key, row] : publications) all.publications.push_back(row);
  std::sort(all.publications.begin(), all.publications.end(),
            [](const auto& a, const auto& b) { return a.changed < b.changed; });
  for (const auto& [name, row] : sessions) all.sessions.push_back(row);
  for (const auto& [id, row] : subscriptions) all.subscriptions.push_back(row);
  std::sort(all.subscriptions.begin(), all.subscriptions.end(),
            [](const auto& a, const auto& b) { return a.expires_ms > b.expires_ms; });
  return all;
}

void FakeStore::carry_out(const core::PutBinding& put, core::StoreResult&) {
  bindings[{put.row.aor, put.row.id}] = put.row;
}

void FakeStore::carry_out(const core::PutPublication& put, core::StoreResult&) {
  publications[{put.row.aor, put.row.name}] = put.row;
}

void FakeStore::carry_out(const core::RemovePublication& remove, core::StoreResult&) {
  publications.erase({remove.aor, remove.name});
}

void FakeStore::carry_out(const core::PutSubscription& put, core::StoreResult&) {
  subscriptions[put.row.id] = put.row;
  ++subscriptions_written;
}

void FakeStore::carry_out(const core::RemoveSubscription& remove, core::StoreResult&) {
  subscriptions.erase(remove.id);
}

void FakeStore::carry_out(const core::PutSession& put, core::StoreResult&) { sessions[put.row.name] = put.row; }
void FakeStore::carry_out(const core::RemoveSession& remove, core::StoreResult&) { sessions.erase(remove.name); }

void FakeStore::carry_out(const core::RemoveBinding& remove, core::StoreResult&) {
  bindings.erase({remove.aor, remove.id});
}

void FakeStore::carry_out(const core::PutDeferred& put, core::StoreResult& result) {
  std::uint64_t count = 0;
  std::uint64_t bytes = size_of(put.row);
  for (const auto& [id, row] : deferred) {
    if (row.key == put.row.key) {
      claims_[id] = put.row.id;
      result.status = Status::duplicate;
      return;
    }
    if (row.aor != put.row.aor) continue;
    ++count;
    bytes += size_of(row);
  }
  if (full) {
    result.status = Status::refused;
  } else if (count >= put.count_max || bytes > put.bytes_max) {
    result.status = Status::full;
  } else {
    deferred[put.row.id] = put.row;
  }
}

void FakeStore::carry_out(const core::RemoveDeferred& remove, core::StoreResult&) {
  if (remove.unless_claimed && claims_.contains(remove.id)) return;
  const auto found = deferred.find(remove.id);
  if (found == deferred.end()) return;
  if (found->second.large_bytes != 0) bodies.erase(remove.id);
  deferred.erase(found);
}

void FakeStore::carry_out(const core::LoadMessage& load, core::StoreResult& result) {
  if (const auto found = deferred.find(load.id); found != deferred.end()) result.rows.push_back(found->second);
}

void FakeStore::carry_out(const core::AskDeferred& ask, core::StoreResult& result) {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  for (const auto& [id, row] : deferred) {
    if (row.aor != ask.aor) continue;
    ++count;
    bytes += size_of(row);
  }
  result.room = ask.bytes_max - std::min(bytes, ask.bytes_max);
  if (full) {
    result.status = Status::refused;
  } else if (count >= ask.count_max || ask.bytes > result.room) {
    result.status = Status::full;
  }
}

void FakeStore::carry_out(const core::WriteBody& write, core::StoreResult& result) {
  if (full || write.offset + write.bytes.size() > body_bytes_max) {
    result.status = Status::refused;
    return;
  }
  std::string& body = bodies[write.id];
  if (body.size() < write.offset + write.bytes.size()) body.resize(write.offset + write.bytes.size());
  body.replace(write.offset, write.bytes.size(), write.bytes);
  bodies_written += write.bytes.size();
}

void FakeStore::carry_out(const core::SyncBody& sync, core::StoreResult& result) {
  if (full || !bodies.contains(sync.id)) result.status = Status::refused;
}

void FakeStore::carry_out(const core::ReadBody& read, core::StoreResult& result) {
  const auto found = bodies.find(read.id);
  if (found == bodies.end()) {
    result.status = Status::refused;
  } else if (read.offset < found->second.size()) {
    result.bytes = found->second.substr(read.offset, read.length);
  }
}

void FakeStore::carry_out(const core::DropBody& drop, core::StoreResult&) { bodies.erase(drop.id); }

void FakeStore::carry_out(const core::LoadDeferred& load, core::StoreResult& result) {
  if (unread) {
    result.status = Status::refused;
    return;
  }
  std::uint64_t bytes = 0;
  for (auto at = deferred.upper_bound(load.after); at != deferred.end(); ++at) {
    if (at->second.aor != load.aor) continue;
    if (result.rows.size() == load.count_max || bytes > load.bytes_max) {
      result.more = true;
      return;
    }
    result.rows.push_back(loaded(at->second, load.bodies));
    bytes += at->second.head.size() + (load.bodies ? at->second.body.size() : 0);
  }
}

void FakeStore::carry_out(const core::LoadExpired& load, core::StoreResult& result) {
  for (const auto& [id, row] : deferred) {
    if (row.expires_ms > load.now_ms) continue;
    if (result.rows.size() == load.count_max) {
      result.more = true;
      return;
    }
    result.rows.push_back(loaded(row, true));
  }
}

void FakeStore::carry_out(const core::LoadExpiring& load, core::StoreResult& result) {
  for (const auto& [id, row] : deferred) {
    if (row.expires_ms > load.until_ms || row.state >= core::DeferredState::expiring) continue;
    if (result.rows.size() == load.count_max) {
      result.more = true;
      return;
    }
    result.rows.push_back(loaded(row, false));
  }
}

void FakeStore::carry_out(const core::FindDeferred& find, core::StoreResult& result) {
  for (const std::uint64_t id : find.ids) {
    if (const auto at = deferred.find(id); at != deferred.end()) result.rows.push_back(loaded(at->second, false));
  }
}

void FakeStore::carry_out(const core::FindMessage& find, core::StoreResult& result) {
  for (const auto& [id, row] : deferred) {
    if (find.id.empty() || (row.message_id != find.id && row.request_id != find.id)) continue;
    if (result.rows.size() == find.count_max) {
      result.more = true;
      return;
    }
    result.rows.push_back(loaded(row, false));
  }
}

void FakeStore::carry_out(const core::MarkDeferred& mark, core::StoreResult&) {
  for (const std::uint64_t id : mark.ids) {
    const auto at = deferred.find(id);
    if (at != deferred.end() && at->second.state < mark.state) at->second.state = mark.state;
  }
}

core::DeferredRow FakeStore::loaded(core::DeferredRow row, bool body) {
  row.size = row.body.size();
  if (!body) row.body.clear();
  return row;
}

void FakeStore::carry_out(const core::PutSending& put, core::StoreResult& result) {
  if (full) {
    result.status = Status::refused;
  } else {
    sendings[put.row.id] = put.row;
  }
}

void FakeStore::carry_out(const core::RemoveCopy& remove, core::StoreResult&) {
  const auto found = sendings.find(remove.sending);
  if (found == sendings.end()) return;
  std::erase_if(found->second.copies, [&](const auto& copy) { return copy.number == remove.copy; });
  if (found->second.copies.empty()) sendings.erase(found);
}

void FakeStore::carry_out(const core::RemoveSending& remove, core::StoreResult&) { sendings.erase(remove.id); }

void FakeStore::carry_out(const core::PutSystemMessage& put, core::StoreResult& result) {
  if (full) {
    result.status = Status::refused;
  } else {
    system_messages[put.row.id] = put.row;
  }
}

void FakeStore::carry_out(const core::RemoveSystemMessage& remove, core::StoreResult&) {
  system_messages.erase(remove.id);
}

FakeStore::Held FakeStore::held_by(const std::string& aor) const {
  Held held;
  for (const auto& [id, row] : histories) {
    if (row.aor != aor) continue;
    const core::HistoryRecordRow sums = summed(row);
    ++held.records;
    held.messages += sums.messages;
    held.bytes += sums.bytes;
  }
  return held;
}

core::HistoryRecordRow FakeStore::summed(core::HistoryRecordRow row) const {
  row.messages = 0;
  row.bytes = 0;
  for (const auto& [key, message] : history_messages) {
    if (key.first != row.id) continue;
    ++row.messages;
    row.bytes += message.body.size();
  }
  return row;
}

std::uint64_t FakeStore::oldest_history(const std::string& aor, std::uint64_t but, bool ended, bool spoken) const {
  for (const auto& [id, row] : histories) {
    if (row.aor != aor || id == but || (ended && row.ended_ms == 0) || (spoken && summed(row).messages == 0)) continue;
    return id;
  }
  return 0;
}

std::uint32_t FakeStore::remove_history(std::uint64_t id) {
  histories.erase(id);
  return static_cast<std::uint32_t>(
      std::erase_if(history_messages, [&](const auto& each) { return each.first.first == id; }));
}

void FakeStore::carry_out(const core::PutHistory& put, core::StoreResult& result) {
  if (full) {
    result.status = Status::refused;
    return;
  }
  while (!histories.contains(put.row.id) && held_by(put.row.aor).records >= put.count_max) {
    std::uint64_t id = put.keep_old ? 0 : oldest_history(put.row.aor, 0, true, false);
    if (id == 0 && !put.keep_old) id = oldest_history(put.row.aor, 0, false, false);
    if (id == 0) {
      result.status = Status::full;
      return;
    }
    result.removed += remove_history(id);
  }
  histories[put.row.id] = put.row;
}

void FakeStore::carry_out(const core::EndHistory& end, core::StoreResult&) {
  const auto found = histories.find(end.id);
  if (found == histories.end()) return;
  found->second.ended_ms = end.ended_ms;
  found->second.expires_ms = end.expires_ms;
}

void FakeStore::carry_out(const core::AddHistoryMessage& add, core::StoreResult& result) {
  if (full) {
    result.status = Status::refused;
    return;
  }
  if (!histories.contains(add.row.record)) return;
  core::HistoryMessageRow row = add.row;
  row.kept = add.body != nullptr;
  if (row.kept) {
    row.body = *add.body;
    row.size = row.body.size();
  }
  if (add.count_max == 0 || row.body.size() > add.bytes_max) result.status = Status::full;
  for (Held held = held_by(add.aor); result.status != Status::full &&
                                     (held.messages >= add.count_max || held.bytes + row.body.size() > add.bytes_max);
       held = held_by(add.aor)) {
    if (add.keep_old) {
      result.status = Status::full;
    } else if (const std::uint64_t id = oldest_history(add.aor, row.record, true, false); id != 0) {
      if (result.users.empty()) result.users.push_back(add.aor);
      result.removed += remove_history(id);
    } else {
      history_messages.erase(history_messages.lower_bound({oldest_history(add.aor, 0, false, true), 0}));
      ++result.removed;
    }
  }
  if (result.status != Status::full) history_messages[{row.record, row.number}] = std::move(row);
}

void FakeStore::carry_out(const core::RemoveHistory& remove, core::StoreResult& result) {
  if (full) {
    result.status = Status::refused;
    return;
  }
  std::vector<std::uint64_t> ids = remove.ids;
  result.through = remove.through != 0 || histories.empty() ? remove.through : histories.rbegin()->first;
  for (const auto& [id, row] : histories) {
    if (remove.all && id <= result.through) ids.push_back(id);
  }
  for (const std::uint64_t id : ids) {
    const auto found = histories.find(id);
    if (found == histories.end() || found->second.aor != remove.aor) continue;
    result.more = result.removed == histories_removed_max;
    if (result.more) return;
    remove_history(id);
    ++result.removed;
  }
}

void FakeStore::carry_out(const core::RemoveHistoryExpired& remove, core::StoreResult& result) {
  std::vector<std::uint64_t> over;
  for (const auto& [id, row] : histories) {
    if (row.ended_ms != 0 && row.expires_ms <= remove.now_ms) over.push_back(id);
  }
  result.more = over.size() > remove.count_max;
  if (result.more) over.resize(remove.count_max);
  for (const std::uint64_t id : over) {
    const std::string& aor = histories[id].aor;
    if (std::find(result.users.begin(), result.users.end(), aor) == result.users.end()) result.users.push_back(aor);
    remove_history(id);
  }
  result.removed = static_cast<std::uint32_t>(over.size());
}

std::uint64_t FakeStore::version_of(const std::string& aor) const {
  std::string all;
  for (const auto& [id, row] : histories) {
    if (row.aor != aor) continue;
    const core::HistoryRecordRow sums = summed(row);
    for (const std::int64_t number :
         {static_cast<std::int64_t>(id), row.ended_ms, row.expires_ms, static_cast<std::int64_t>(sums.messages),
          static_cast<std::int64_t>(sums.bytes)}) {
      all += std::to_string(number) + " ";
    }
    all += row.from + row.to + row.group + row.people + row.subject + "\n";
  }
  return std::hash<std::string>{}(all) | 1;
}

void FakeStore::carry_out(const core::LoadHistories& load, core::StoreResult& result) {
  ++history_pages;
  result.version = version_of(load.aor);
  result.unchanged = result.version == load.unless;
  if (result.unchanged) return;
  for (auto at = histories.upper_bound(load.after); at != histories.end(); ++at) {
    if (at->second.aor != load.aor) continue;
    if (result.histories.size() == load.count_max) {
      result.more = true;
      return;
    }
    result.histories.push_back(summed(at->second));
  }
}

void FakeStore::carry_out(const core::LoadHistoryMessages& load, core::StoreResult& result) {
  std::uint64_t bytes = 0;
  for (auto at = history_messages.upper_bound({load.record, load.after});
       at != history_messages.end() && at->first.first == load.record; ++at) {
    if (result.history_messages.size() == load.count_max || bytes > load.bytes_max) {
      result.more = true;
      return;
    }
    result.history_messages.push_back(at->second);
    bytes += at->second.body.size();
  }
}

void FakeStore::carry_out(const core::FindHistory& find, core::StoreResult& result) {
  for (const std::uint64_t id : find.ids) {
    if (const auto at = histories.find(id); at != histories.end()) result.histories.push_back(summed(at->second));
  }
}

void FakeStore::carry_out(const core::PutXcap&, core::StoreResult&) {}
void FakeStore::carry_out(const core::RemoveXcap&, core::StoreResult&) {}

}  // namespace parley::tests
