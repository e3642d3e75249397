// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A value of one byte for each page of a guest, of which it is known which have changed: {@code S390StAttribState} in
 * QEMU. {@link CmmaAttributes} are those of s390.
 *
 * <p>Calls come on the thread of the {@link StorageAttributesHandler}, while virtual CPUs change values.
 */
public interface StorageAttributes {
    /** How many values that have not changed may be read between two that have: as many as KVM does. */
    int MOST_BETWEEN = 16;

    /**
     * Some values that have changed, of pages that follow each other.
     *
     * @param firstPage the number of the first one's page
     * @param count how many there are, &gt; 0
     */
    record Run(long firstPage, int count) {}

    /**
     * Returns how many pages have a value; their numbers are 0 and up.
     *
     * @return the number of pages
     */
    long pages();

    /**
     * Begins to note changes. All values count as changed.
     *
     * @throws IOException when it cannot
     */
    void start() throws IOException;

    /**
     * Returns how many values have changed, as far as it is known without asking.
     *
     * @return a number of pages
     */
    long changed();

    /**
     * Asks how many values have changed.
     *
     * @return a number of pages
     * @throws IOException when it cannot be asked
     */
    long countChanged() throws IOException;

    /**
     * Reads the next values that have changed, which count as not changed from then on. Up to {@link #MOST_BETWEEN}
     * values that have not changed may lie between two that have.
     *
     * @param from the page to look from; when there are none behind it, those before it are the next
     * @param into where to, a direct buffer; from its position on, as many as there are and fit
     * @return which they are; null when none has changed
     * @throws IOException when they cannot be read
     */
    @Nullable
    Run next(long from, ByteBuffer into) throws IOException;

    /**
     * Ends noting changes. Does nothing when they are not noted.
     *
     * @throws IOException when it cannot; it counts as ended all the same
     */
    void stop() throws IOException;

    /**
     * Sets values, of a virtual machine that has not run yet.
     *
     * @param firstPage the first one's page
     * @param values a direct buffer, from its position to its limit
     * @throws IOException when they cannot be set
     */
    void set(long firstPage, ByteBuffer values) throws IOException;
}
