// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.observe;

/**
 * Hears what a migration does. Called on the migration's own threads, also in the downtime: return at once, and throw
 * nothing.
 */
public interface MigrationListener {
    /** A listener that hears nothing. */
    MigrationListener NONE = new MigrationListener() {};

    /**
     * A destination waits for its source.
     *
     * @param address where the source can connect to, with the port that the kernel chose; or the connections to it
     *     that the destination was given
     */
    default void onListening(String address) {}

    /**
     * A phase has begun.
     *
     * @param phase which
     */
    default void onPhase(Phase phase) {}

    /**
     * The migration goes on; at most ten times a second.
     *
     * @param progress how far it has come
     */
    default void onProgress(MigrationProgress progress) {}

    /**
     * Something happened that a person should know and that the migration goes on from.
     *
     * @param text one line
     */
    default void onNotice(String text) {}
}
