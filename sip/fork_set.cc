// sip/fork_set.cc - see fork_set.h.
#include "sip/fork_set.h"

#include <algorithm>
#include <utility>

namespace parley::sip {

Fork* ForkSet::find(std::string_view remote_tag) {
  for (std::optional<Fork>& fork : forks_) {
    if (fork && fork->dialog.remote_tag() == remote_tag) return &*fork;
  }
  return nullptr;
}

Fork* ForkSet::find(std::uint64_t number) {
  for (std::optional<Fork>& fork : forks_) {
    if (fork && fork->number == number) return &*fork;
  }
  return nullptr;
}

std::optional<Fork>* ForkSet::free_place(bool for_2xx) {
  for (std::optional<Fork>& fork : forks_) {
    if (!fork) return &fork;
  }
  if (!for_2xx) return nullptr;
  for (std::optional<Fork>& fork : forks_) {
    if (fork->dialog.state() == DialogState::early) return &fork;
  }
  return nullptr;
}

Fork* ForkSet::take(const OpeningRequest& ours, const Head& response, std::string_view bytes,
                    const Essentials& essentials, DialogFault& fault) {
  const bool ok = response.status >= 200;
  fault = DialogFault::none;
  if (Fork* const known = find(essentials.to_tag)) {
    if (ok && known->dialog.state() == DialogState::early) fault = known->dialog.confirm(response, bytes);
    return known;
  }
  Dialog dialog(*pool_);
  fault = dialog.open(ours, response, bytes, essentials);
  if (fault != DialogFault::none) return nullptr;
  std::optional<Fork>* const place = free_place(ok);
  if (place == nullptr) {
    fault = DialogFault::too_long;
    return nullptr;
  }
  place->emplace(Fork{.dialog = std::move(dialog), .reliable = {}, .offers = offers_, .number = ++numbers_});
  return &**place;
}

void ForkSet::drop(std::uint64_t number) {
  for (std::optional<Fork>& fork : forks_) {
    if (fork && fork->number == number) fork.reset();
  }
}

void ForkSet::drop_early() {
  for (std::optional<Fork>& fork : forks_) {
    if (fork && fork->dialog.state() == DialogState::early) fork.reset();
  }
}

std::uint64_t ForkSet::due(core::Instant now) {
  for (std::optional<Fork>& fork : forks_) {
    if (fork && fork->reliable.due(now)) return fork->number;
  }
  return 0;
}

core::Instant ForkSet::next_deadline() const {
  core::Instant first = core::never;
  for (const std::optional<Fork>& fork : forks_) {
    if (fork) first = std::min(first, fork->reliable.next_deadline());
  }
  return first;
}

std::size_t ForkSet::size() const {
  return static_cast<std::size_t>(
      std::count_if(forks_.begin(), forks_.end(), [](const auto& fork) { return fork.has_value(); }));
}

}  // namespace parley::sip
