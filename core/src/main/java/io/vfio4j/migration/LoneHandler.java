// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * A handler, and a thread for its calls, while no state goes: before a migration begins, and when a doubt is resolved.
 *
 * @param handler the handler
 * @param worker its thread
 */
record LoneHandler(StateHandler handler, Worker worker) implements Crew.Member {

    /**
     * Does a step with all of them beside each other.
     *
     * @param impatient whether nobody wants to wait so long any more
     * @throws MigrationException the first failure, when all have ended; the others' are suppressed in it
     */
    static void all(
            List<StateHandler> handlers,
            String name,
            Crew.Step<StateHandler> step,
            Execution execution,
            MigrationParameters parameters,
            BooleanSupplier impatient)
            throws MigrationException {
        Crew<LoneHandler> crew = new Crew<>(execution, parameters.handlerLimit().toNanos(), impatient);
        try {
            for (StateHandler handler : handlers) {
                crew.add(new LoneHandler(handler, new Worker(execution, name, handler.name(), null)));
            }
            crew.all(name, lone -> step.run(lone.handler), () -> {});
        } finally {
            crew.dismiss();
        }
    }

    @Override
    public String name() {
        return handler.name();
    }
}
