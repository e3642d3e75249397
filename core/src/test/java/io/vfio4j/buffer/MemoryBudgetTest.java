// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.buffer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MemoryBudgetTest {
    @Test
    void shouldGiveEachAnEqualPart() {
        assertThat(new MemoryBudget(100, 3).bytesEach()).isEqualTo(33);
    }

    @Test
    void shouldServeThoseWhoWaitInTheirOrder() {
        MemoryBudget budget = new MemoryBudget(100, 1);
        MemoryBudget.Part first = budget.join();
        MemoryBudget.Part second = budget.join();
        MemoryBudget.Part third = budget.join();

        assertThat(second.take()).isFalse();
        assertThat(first.take()).isTrue();
        assertThat(first.take()).isTrue();
        assertThat(second.take()).isFalse();
        first.close();
        first.close();
        assertThat(first.take()).isFalse();
        assertThat(third.take()).isFalse();
        assertThat(second.take()).isTrue();
        assertThat(third.take()).isFalse();
    }

    @Test
    void shouldLetTheNextOneInWhenSomebodyLeavesTheLine() {
        MemoryBudget budget = new MemoryBudget(100, 1);
        MemoryBudget.Part first = budget.join();
        MemoryBudget.Part second = budget.join();

        first.close();

        assertThat(second.take()).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"0, 1", "-1, 1", "1, 0", "1, 2"})
    void shouldRefuseABudgetOfNothing(long bytes, int migrations) {
        assertThatThrownBy(() -> new MemoryBudget(bytes, migrations)).isInstanceOf(IllegalArgumentException.class);
    }
}
