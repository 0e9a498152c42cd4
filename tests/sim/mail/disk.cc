// tests/sim/mail/disk.cc - see disk.h.
#include "tests/sim/mail/disk.h"

#include <algorithm>

namespace parley::sim::mail {

Duration Disk::latency() {
  if (rng_.permille(slow_permille_)) return std::chrono::milliseconds(rng_.scaled(50, 9000));
  return std::chrono::microseconds(rng_.scaled(100, 20'000));
}

void Disk::take(Place& place, Shard& from, std::vector<core::StoreOp>& ops) {
  const auto at = std::find_if(place.shards.begin(), place.shards.end(), [&](const auto& s) { return s.get() == &from; });
  if (at == place.shards.end()) return;  // of a process that has died
  store_.submit(static_cast<std::uint32_t>(at - place.shards.begin()), ops);
  if (due_) return;
  due_ = true;
  world_.agenda.after(latency(), [this, &place, life = life_] {
    if (life == life_) commit(place);
  });
}

void Disk::commit(Place& place) {
  due_ = false;
  std::vector<tests::FakeStore::Answer> answers;
  for (tests::FakeStore::Answer answer; store_.next(answer);) answers.push_back(std::move(answer));
  world_.journal.line("the disk has it: %zu answers, %zu messages, %zu to several", answers.size(), store_.deferred.size(),
                      store_.sendings.size());
  world_.agenda.after(std::chrono::microseconds(rng_.between(0, 2000)),
                      [this, &place, answers = std::move(answers), life = life_] {
                        if (life != life_) return;
                        for (const auto& answer : answers) place.shards[answer.shard]->stored(answer.result);
                      });
}

void Disk::crash() {
  ++life_;
  due_ = false;
  store_.lose_waiting();
}

}  // namespace parley::sim::mail
