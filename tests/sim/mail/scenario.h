// tests/sim/mail/scenario.h - the world of deferred messages: users who come and go and write to each other and to a group,
// a server with a store, which is slow, full and loses what it had not committed when the server dies.
//
// What is checked: what was answered 200 was taken by a device; what was answered 202 has been taken when everybody is
// back, also after crashes; the messages of a sender come in the order in which they were answered; nothing comes to
// somebody else; where nothing was lost and nobody died nothing comes twice; at rest nothing is left, in the server or in
// its store (P-06, P-07, P-08, OMA-DEF-4, OMA-DEF-8, OMA-PAG-1).
#pragma once

#include "tests/sim/scenario.h"

namespace parley::sim::mail {

Outcome run_mail_seed(const Options& options);

}  // namespace parley::sim::mail
